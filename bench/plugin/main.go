// Command plugin is what plugins in the field look like: a config that is a struct with rules, checked by a validator; a
// logger that writes to the host; HTTP that goes through the host; and all of that set up, with a line in the log, before
// anything is asked of it. It observes one file, or fetches one page.
package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"
)

type config struct {
	Path    string `json:"path" validate:"required_without=URL,omitempty,startswith=/,max=4096"`
	URL     string `json:"url" validate:"required_without=Path,omitempty,http_url"`
	Timeout int    `json:"timeout_ms" validate:"min=0,max=60000"`
	Verbose bool   `json:"verbose"`
}

type failure struct {
	Message    string `json:"message"`
	Type       string `json:"type"`
	Code       string `json:"code"`
	IsNotFound bool   `json:"is_not_found,omitempty"`
}

type evidence struct {
	Status    bool
	Error     *failure
	Timestamp time.Time
	Data      map[string]any
	Raw       *string
}

var validate = validator.New(validator.WithRequiredStructEnabled())

func init() {
	slog.SetDefault(slog.New(hostLog{}))
	http.DefaultTransport = hostTransport{}
	http.DefaultClient = &http.Client{Transport: hostTransport{}}
	slog.Info("plugin initialised", "home_set", os.Getenv("HOME") != "", "trace", newTrace())
}

//go:wasmexport describe
func describe() uint64 {
	return pack(map[string]any{"name": "bench", "version": "1.0.0", "description": "Observes one file, or one page",
		"sdk_version": "0.1.0", "min_host_version": "0.2.0",
		"capabilities": []map[string]string{{"kind": "fs", "pattern": "read:**"}, {"kind": "network", "pattern": "outbound:443"}}})
}

//go:wasmexport schema
func schema() uint64 {
	text := func(about string) map[string]any { return map[string]any{"type": "string", "description": about} }
	return pack(map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
		"properties": map[string]any{"path": text("Absolute path of a file"), "url": text("Address of a page"),
			"timeout_ms": map[string]any{"type": "integer"}, "verbose": map[string]any{"type": "boolean"}}})
}

//go:wasmexport observe
func observe(address, size uint32) uint64 {
	answer := evidence{Timestamp: time.Now().UTC()}
	var asked config
	err := json.Unmarshal(bytesAt(address, size), &asked)
	if err == nil {
		err = validate.Struct(&asked)
	}
	if err != nil {
		answer.Error = &failure{Message: err.Error(), Type: "config", Code: "INVALID_CONFIG"}
		return pack(answer)
	}
	if asked.URL != "" {
		answer.Data, err = page(asked)
	} else {
		answer.Data, err = file(asked.Path)
	}
	answer.Status = err == nil
	if err != nil {
		answer.Error = &failure{Message: err.Error(), Type: "execution", Code: "FAILED", IsNotFound: errors.Is(err, fs.ErrNotExist)}
	}
	if asked.Verbose {
		slog.Info("observed", "path", asked.Path, "status", answer.Status)
	}
	return pack(answer)
}

func file(path string) (map[string]any, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return map[string]any{"path": path, "exists": true, "is_dir": info.IsDir(), "size": info.Size(),
		"mod_time": info.ModTime().UTC().Format(time.RFC3339Nano)}, nil
}

func page(asked config) (map[string]any, error) {
	client := http.Client{Timeout: time.Duration(asked.Timeout) * time.Millisecond}
	response, err := client.Get(asked.URL)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return map[string]any{"url": asked.URL, "status_code": response.StatusCode,
		"type": strings.ToLower(response.Header.Get("Content-Type"))}, nil
}

func main() {}
