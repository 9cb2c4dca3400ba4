package probe

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"time"
	"unsafe"
)

//go:wasmimport reglet_host log_message
func logMessage(request uint64)

// Attribute is one of a log line.
type Attribute struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Log sends one line to the host's log, as the field's SDK writes it.
func Log(level, message string, attributes ...Attribute) {
	request, _ := json.Marshal(map[string]any{"context": map[string]any{"Canceled": false}, "timestamp": time.Now(),
		"level": level, "message": message, "attrs": attributes})
	logMessage(uint64(uintptr(unsafe.Pointer(unsafe.SliceData(request))))<<32 | uint64(len(request)))
}

// Nonce is drawn while the guest initialises: one that comes twice was frozen into an image.
var Nonce [8]byte

// What plugins of the field do before anything is asked of them: log, and read clock, random and environment.
func init() {
	if _, err := rand.Read(Nonce[:]); err != nil {
		panic(err)
	}
	Log("DEBUG", "initialising", Attribute{"home_set", "string", os.Getenv("HOME")})
}
