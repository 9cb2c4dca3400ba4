package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"go/format"
	"html"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"log/slog"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func decode(from io.Reader, to any) error { return json.NewDecoder(from).Decode(to) }

func itoa(number int) string { return strconv.Itoa(number) }

// The parsers, each with what it says when it accepts a file.
var parsers = map[string]func([]byte) error{
	"json": func(content []byte) error { return json.Unmarshal(content, new(any)) },
	"xml":  func(content []byte) error { return xml.Unmarshal(content, new(struct{ XMLName xml.Name })) },
	"go":   checkGo,
	"image": func(content []byte) error {
		_, _, err := image.Decode(bytes.NewReader(content))
		return err
	},
	"zip": func(content []byte) error {
		_, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		return err
	},
	"tar": func(content []byte) error {
		_, err := tar.NewReader(bytes.NewReader(content)).Next()
		return err
	},
	"gzip": func(content []byte) error {
		_, err := gzip.NewReader(bytes.NewReader(content))
		return err
	},
	"zlib": func(content []byte) error {
		_, err := zlib.NewReader(bytes.NewReader(content))
		return err
	},
	"bzip2": func(content []byte) error {
		_, err := bzip2.NewReader(bytes.NewReader(content)).Read(make([]byte, 1))
		return err
	},
	"certificate": checkCertificate,
	"key pair": func(content []byte) error {
		pair, err := tls.X509KeyPair(content, content)
		if err == nil {
			_ = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}}
		}
		return err
	},
	"asn1": func(content []byte) error {
		_, err := asn1.Unmarshal(content, new(asn1.RawValue))
		return err
	},
	"csv": func(content []byte) error {
		_, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
		return err
	},
	"mail": func(content []byte) error {
		_, err := mail.ReadMessage(bytes.NewReader(content))
		return err
	},
	"regular expression": func(content []byte) error {
		_, err := regexp.Compile(string(content))
		return err
	},
	"url": checkURL,
}

func kindsOf(content []byte) []string {
	kinds := []string{}
	for kind, accepts := range parsers {
		if err := accepts(content); err == nil {
			kinds = append(kinds, kind)
		} else {
			slog.Debug("not accepted", "kind", kind, "error", err)
		}
	}
	slices.Sort(kinds)
	return kinds
}

func checkGo(content []byte) error {
	_, err := format.Source(content)
	return err
}

func checkCertificate(content []byte) error {
	block, _ := pem.Decode(content)
	if block == nil {
		return io.ErrUnexpectedEOF
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err == nil {
		_, err = certificate.Verify(x509.VerifyOptions{CurrentTime: time.Now(), Roots: x509.NewCertPool()})
	}
	return err
}

// A file that names a web page is fetched, as far as the sandbox lets it: there are no sockets in preview1.
func checkURL(content []byte) error {
	address, err := url.Parse(strings.TrimSpace(string(content)))
	if err != nil || address.Host == "" {
		return io.ErrUnexpectedEOF
	}
	response, err := http.Get(address.String())
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func render(to io.Writer, path string, kinds []string) {
	fmt.Fprintf(to, "<h1>%s</h1><p>%s</p>", html.EscapeString(path), strings.Join(kinds, ", "))
}
