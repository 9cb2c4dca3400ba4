// Package probe is what the Go guests share: the memory side of the ABI, and one observation driven by its config.
package probe

import (
	"encoding/json"
	"unsafe"
)

// Buffers that the host knows by address: Go's collector must not take them before the host gave them back.
var pinned = map[uint32][]byte{}

// Allocate makes room for size bytes of the host's.
func Allocate(size uint32) uint32 {
	return pin(make([]byte, max(size, 1)))
}

// Deallocate lets a buffer go.
func Deallocate(address uint32) {
	delete(pinned, address)
}

func pin(buffer []byte) uint32 {
	address := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(buffer))))
	pinned[address] = buffer
	return address
}

// Bytes copies what the host wrote at an address.
func Bytes(address, size uint32) []byte {
	return append([]byte(nil), pinned[address][:size]...)
}

// Pack hands a JSON value to the host.
func Pack(value any) uint64 {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return uint64(pin(text))<<32 | uint64(len(text))
}
