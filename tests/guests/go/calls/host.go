package main

import (
	"encoding/json"
	"runtime"
	"time"
	"unsafe"

	"guests/probe"
)

//go:wasmimport reglet_host dns_lookup
func dnsLookup(request uint64) uint64

//go:wasmimport reglet_host http_request
func httpRequest(request uint64) uint64

//go:wasmimport reglet_host tcp_connect
func tcpConnect(request uint64) uint64

//go:wasmimport reglet_host smtp_connect
func smtpConnect(request uint64) uint64

//go:wasmimport reglet_host net_connect
func netConnect(request uint64) uint64

//go:wasmimport reglet_host ssrf_check
func ssrfCheck(request uint64) uint64

//go:wasmimport reglet_host exec_command
func execCommand(request uint64) uint64

//go:wasmimport reglet_host exec_run
func execRun(request uint64) uint64

//go:wasmimport reglet_host fs_read
func fsRead(request uint64) uint64

//go:wasmimport reglet_host fs_write
func fsWrite(request uint64) uint64

//go:wasmimport reglet_host fs_stat
func fsStat(request uint64) uint64

//go:wasmimport reglet_host env_get
func envGet(request uint64) uint64

// Canceled has no name of its own in the field's SDK, and so a capital.
type callContext struct {
	Deadline  *time.Time `json:"deadline,omitempty"`
	TimeoutMs int64      `json:"timeout_ms,omitempty"`
	RequestID string     `json:"request_id,omitempty"`
	Canceled  bool
}

type dnsRequest struct {
	Context    callContext `json:"context"`
	Hostname   string      `json:"hostname"`
	Type       string      `json:"type"`
	Nameserver string      `json:"nameserver,omitempty"`
}

type httpMessage struct {
	Context callContext         `json:"context"`
	Method  string              `json:"method"`
	URL     string              `json:"url"`
	Headers map[string][]string `json:"headers,omitempty"`
	Body    string              `json:"body,omitempty"`
}

type tcpRequest struct {
	Context   callContext `json:"context"`
	Host      string      `json:"host"`
	Port      string      `json:"port"`
	TimeoutMs int         `json:"timeout_ms,omitempty"`
	TLS       bool        `json:"tls"`
}

type smtpRequest struct {
	Context   callContext `json:"context"`
	Host      string      `json:"host"`
	Port      string      `json:"port"`
	TimeoutMs int         `json:"timeout_ms,omitempty"`
	TLS       bool        `json:"tls"`
	StartTLS  bool        `json:"starttls"`
}

type netRequest struct {
	Context  callContext `json:"context"`
	Host     string      `json:"host"`
	Port     string      `json:"port"`
	Data     string      `json:"data"`
	MaxBytes int         `json:"max_bytes"`
}

type ssrfRequest struct {
	Context callContext `json:"context"`
	Address string      `json:"address"`
}

// Args of nil become null.
type execRequest struct {
	Context callContext `json:"context"`
	Command string      `json:"command"`
	Args    []string    `json:"args"`
	Dir     string      `json:"dir,omitempty"`
	Env     []string    `json:"env,omitempty"`
}

type writeRequest struct {
	Context callContext `json:"context"`
	Path    string      `json:"path"`
	Content string      `json:"content"`
	Mode    string      `json:"mode"`
}

type readRequest struct {
	Context  callContext `json:"context"`
	Path     string      `json:"path"`
	Offset   int         `json:"offset"`
	MaxBytes int         `json:"max_bytes"`
}

type statRequest struct {
	Context callContext `json:"context"`
	Path    string      `json:"path"`
	Follow  bool        `json:"follow"`
}

type envRequest struct {
	Context callContext `json:"context"`
	Name    string      `json:"name"`
}

// Call sends a request, and frees what the host wrote as its response.
func call(function func(uint64) uint64, request any) json.RawMessage {
	text, err := json.Marshal(request)
	if err != nil {
		panic(err)
	}
	packed := function(uint64(uintptr(unsafe.Pointer(unsafe.SliceData(text))))<<32 | uint64(len(text)))
	runtime.KeepAlive(text)
	address, size := uint32(packed>>32), uint32(packed)
	if address == 0 {
		return json.RawMessage(`"nothing"`)
	}
	defer probe.Deallocate(address)
	return probe.Bytes(address, size)
}
