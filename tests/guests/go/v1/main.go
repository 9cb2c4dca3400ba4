// Command v1 is a plugin of the first ABI generation, written as the field's Go plugins are: the keys of its evidence
// are capitalised, because nothing in the structs says otherwise.
package main

import (
	"encoding/hex"
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

type capability struct {
	Kind    string `json:"kind"`
	Pattern string `json:"pattern"`
}

//go:wasmexport allocate
func allocate(size uint32) uint32 { return probe.Allocate(size) }

//go:wasmexport deallocate
func deallocate(address, _ uint32) { probe.Deallocate(address) }

//go:wasmexport describe
func describe() uint64 {
	return probe.Pack(map[string]any{"name": "go_v1", "version": "1.0.0", "description": "A Go plugin, first generation",
		"sdk_version": "1.0.0", "min_host_version": "0.2.0",
		"capabilities": []capability{{"fs", "read:**"}, {"fs", "write:**"}, {"env", "*"}}})
}

//go:wasmexport schema
func schema() uint64 {
	text := func(description string) map[string]any {
		return map[string]any{"type": "string", "description": description}
	}
	return probe.Pack(map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
		"properties": map[string]any{"op": text("What to do"), "path": text("Where"), "text": text("What to write"),
			"name": text("Which variable"), "millis": map[string]any{"type": "integer", "description": "How long"}},
		"required": []string{"op"}})
}

//go:wasmexport observe
func observe(address, size uint32) uint64 {
	data, failure := probe.Observe(probe.Bytes(address, size))
	if data != nil {
		data["nonce"] = hex.EncodeToString(probe.Nonce[:])
	}
	return probe.Pack(evidence{Status: failure == nil, Error: failure, Timestamp: time.Now(), Data: data})
}

func main() {}
