// Command v2 is a plugin of the second ABI generation.
package main

import (
	"time"

	"guests/probe"
)

type answer struct {
	Timestamp time.Time      `json:"timestamp"`
	Status    string         `json:"status"`
	Message   string         `json:"message,omitempty"`
	Data      probe.Data     `json:"data,omitempty"`
	Error     *probe.Failure `json:"error,omitempty"`
	Metadata  map[string]any `json:"metadata,omitempty"`
}

const manifest = `{
  "name": "go_v2", "version": "2.0.0", "description": "A Go plugin, second generation", "sdk_version": "2.0.0",
  "services": {"files": {"name": "files", "description": "Looks at files", "operations": [
    {"name": "stat", "description": "Looks at one file", "input_fields": ["path"],
     "examples": [{"name": "hosts", "input": {"op": "stat", "path": "/etc/hosts"}}]},
    {"name": "read", "description": "Reads one file"}]}},
  "config_schema": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
    "properties": {"op": {"type": "string", "description": "What to do"}, "path": {"type": "string"}}, "required": ["op"]},
  "capabilities": {"fs": {"rules": [{"read": ["/**"], "write": null}]}, "env": {"vars": ["HOME"]}, "network": null}
}`

type raw string

func (text raw) MarshalJSON() ([]byte, error) { return []byte(text), nil }

//go:wasmexport allocate
func allocate(size uint32) uint32 { return probe.Allocate(size) }

//go:wasmexport deallocate
func deallocate(address, _ uint32) { probe.Deallocate(address) }

//go:wasmexport _manifest
func describe() uint64 { return probe.Pack(raw(manifest)) }

//go:wasmexport _observe
func observe(address, size uint32) uint64 {
	data, failure := probe.Observe(probe.Bytes(address, size))
	result := answer{Timestamp: time.Now(), Status: "success", Message: "observed", Data: data,
		Metadata: map[string]any{"generation": 2}}
	if failure != nil {
		result.Status, result.Message, result.Error = "error", failure.Message, failure
	}
	return probe.Pack(result)
}

func main() {}
