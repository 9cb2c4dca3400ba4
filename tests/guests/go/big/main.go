// Command big is a plugin of the size that plugins in the field have: it tells what a file is by trying the parsers of
// the standard library on it, and answers through an HTTP handler, so that all of that is linked.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"guests/probe"
)

type evidence struct {
	Status    bool
	Error     *probe.Failure
	Timestamp time.Time
	Data      probe.Data
	Raw       *string
}

//go:wasmexport allocate
func allocate(size uint32) uint32 { return probe.Allocate(size) }

//go:wasmexport deallocate
func deallocate(address, _ uint32) { probe.Deallocate(address) }

//go:wasmexport describe
func describe() uint64 {
	return probe.Pack(map[string]any{"name": "go_big", "version": "1.0.0", "description": "A Go plugin of 10 MB or more",
		"capabilities": []map[string]string{{"kind": "fs", "pattern": "read:**"}}})
}

//go:wasmexport schema
func schema() uint64 {
	return probe.Pack(map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
		"properties": map[string]any{"path": map[string]any{"type": "string"}}, "required": []string{"path"}})
}

//go:wasmexport observe
func observe(address, size uint32) uint64 {
	config := probe.Bytes(address, size)
	request := httptest.NewRequest(http.MethodPost, "/identify", bytes.NewReader(config))
	response := httptest.NewRecorder()
	http.HandlerFunc(identify).ServeHTTP(response, request)
	report := response.Body.String()
	answer := evidence{Status: response.Code == http.StatusOK, Timestamp: time.Now(), Raw: &report}
	if answer.Status {
		answer.Data = probe.Data{"sha256": response.Header().Get("X-Sha256"), "kinds": response.Header()["X-Kind"],
			"size": response.Header().Get("X-Size")}
	} else {
		answer.Error = &probe.Failure{Message: report, Type: "execution", Code: http.StatusText(response.Code)}
	}
	return probe.Pack(answer)
}

func identify(response http.ResponseWriter, request *http.Request) {
	var config struct{ Path string }
	if err := decode(request.Body, &config); err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	content, err := os.ReadFile(config.Path)
	if err != nil {
		http.Error(response, err.Error(), http.StatusForbidden)
		return
	}
	digest := sha256.Sum256(content)
	kinds := kindsOf(content)
	response.Header().Set("X-Sha256", hex.EncodeToString(digest[:]))
	response.Header()["X-Kind"] = kinds
	response.Header().Set("X-Size", itoa(len(content)))
	render(response, config.Path, kinds)
}

func main() {}
