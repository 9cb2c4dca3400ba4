package main

// The plugin's side of the guest ABI: what it says of itself, its config, its evidence, and functions of the host.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"time"
	"unsafe"
)

// Plugin is what the host asks for. Set plugin in an init function.
type Plugin struct {
	Name, Version, Description string
	Capabilities               []Capability
	Fields                     []Field
	Observe                    func(Config) (Data, error)
}

var plugin Plugin

// Capability is what the plugin wants to be granted, such as {"fs", "read:/etc/**"}.
type Capability struct {
	Kind    string `json:"kind"`
	Pattern string `json:"pattern"`
}

// Field is one of the config. Its Type is one of JSON Schema: string, integer, number, boolean, array, object.
type Field struct {
	Name, Type, Description string
	Required                bool
}

// Config is what is to be observed, by the names of fields. Numbers are float64.
type Config map[string]any

// String returns a field that is a string, else "".
func (config Config) String(name string) string {
	text, _ := config[name].(string)
	return text
}

// Data is what was found.
type Data map[string]any

// Failure says why an observation failed, more closely than another error can.
type Failure struct {
	Message  string `json:"message"`
	Type     string `json:"type"` // network, timeout, config, capability, validation, execution, internal
	Code     string `json:"code"`
	Timeout  bool   `json:"is_timeout,omitempty"`
	NotFound bool   `json:"is_not_found,omitempty"`
}

func (failure *Failure) Error() string { return failure.Message }

func failureOf(err error) *Failure {
	var failure *Failure
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.Is(err, fs.ErrPermission):
		return &Failure{Message: err.Error(), Type: "capability", Code: "EACCES"}
	case errors.Is(err, fs.ErrNotExist):
		return &Failure{Message: err.Error(), Type: "execution", Code: "ENOENT", NotFound: true}
	}
	return &Failure{Message: err.Error(), Type: "execution", Code: "FAILED"}
}

// --- Functions of the host ---------------------------------------------------------------------------------------

//go:wasmimport reglet_host log_message
func logMessage(request uint64)

// Log writes a line to the host's log; level is DEBUG, INFO, WARN or ERROR.
func Log(level, message string) {
	logMessage(pack(map[string]any{"level": level, "message": message, "timestamp": time.Now()}))
}

// Ask calls a function of the host. Declare the ones that you want; the host's documentation has requests and responses:
//
//	//go:wasmimport reglet_host http_request
//	func httpRequest(request uint64) uint64
//
//	var response struct{ StatusCode int `json:"status_code"` }
//	err := Ask(httpRequest, map[string]any{"method": "GET", "url": url}, &response)
func Ask(function func(uint64) uint64, request, response any) error {
	asked := pack(request)
	answered := function(asked)
	deallocate(uint32(asked>>32), 0)
	text := buffers[uint32(answered>>32)][:uint32(answered)]
	var outcome struct{ Error *Failure }
	if err := json.Unmarshal(text, &outcome); err != nil {
		return err
	}
	if outcome.Error != nil {
		return outcome.Error
	}
	return json.Unmarshal(text, response)
}

// --- Exports -----------------------------------------------------------------------------------------------------

//go:wasmexport describe
func describe() uint64 {
	return pack(map[string]any{"name": plugin.Name, "version": plugin.Version, "description": plugin.Description,
		"capabilities": plugin.Capabilities})
}

//go:wasmexport schema
func schema() uint64 {
	properties, required := map[string]any{}, []string{}
	for _, field := range plugin.Fields {
		properties[field.Name] = map[string]any{"type": field.Type, "description": field.Description}
		if field.Required {
			required = append(required, field.Name)
		}
	}
	return pack(map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
		"properties": properties, "required": required})
}

//go:wasmexport observe
func observeExport(address, size uint32) uint64 {
	data, err := observeText(buffers[address][:size])
	answer := map[string]any{"status": err == nil, "data": data}
	if err != nil {
		answer["error"] = failureOf(err)
	}
	return pack(answer)
}

func observeText(text []byte) (data Data, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			Log("ERROR", string(debug.Stack()))
			err = &Failure{Message: fmt.Sprint(reason), Type: "panic", Code: "PANIC"}
		}
	}()
	config, err := parse(text)
	if err != nil {
		return nil, err
	}
	return plugin.Observe(config)
}

// parse reads the config, and finds out whether it has what is required.
func parse(text []byte) (Config, error) {
	config := Config{}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, &Failure{Message: err.Error(), Type: "config", Code: "INVALID_CONFIG"}
	}
	for _, field := range plugin.Fields {
		if field.Required && config[field.Name] == nil {
			return nil, &Failure{Message: field.Name + " is needed", Type: "config", Code: "INVALID_CONFIG"}
		}
	}
	return config, nil
}

// --- Memory that the host knows by its address ---------------------------------------------------------------------

// Go's collector cannot see that the host still needs these.
var buffers = map[uint32][]byte{}

func keep(buffer []byte) uint32 {
	address := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(buffer))))
	buffers[address] = buffer
	return address
}

//go:wasmexport allocate
func allocate(size uint32) uint32 { return keep(make([]byte, max(size, 1))) }

//go:wasmexport deallocate
func deallocate(address, _ uint32) { delete(buffers, address) }

func pack(value any) uint64 {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return uint64(keep(text))<<32 | uint64(len(text))
}

func main() {}
