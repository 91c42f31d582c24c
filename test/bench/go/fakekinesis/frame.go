package main

import (
	"encoding/binary"
	"hash/crc32"
)

// frame is one message of an event stream: its length, its headers' length and the CRC of these
// two, then the headers, the payload and the CRC of everything. The memory is reused for each
// message.
type frame struct{ bytes []byte }

const preludeBytes = 12

// After begin, append the payload to bytes.
func (f *frame) begin(event, contentType string) {
	f.bytes = append(f.bytes[:0], make([]byte, preludeBytes)...)
	f.header(":message-type", "event")
	f.header(":event-type", event)
	f.header(":content-type", contentType)
	headers := len(f.bytes) - preludeBytes
	binary.BigEndian.PutUint32(f.bytes[4:], uint32(headers))
}

func (f *frame) header(name, value string) {
	const text = 7
	f.bytes = append(append(f.bytes, byte(len(name))), name...)
	f.bytes = binary.BigEndian.AppendUint16(append(f.bytes, text), uint16(len(value)))
	f.bytes = append(f.bytes, value...)
}

func (f *frame) finish() []byte {
	binary.BigEndian.PutUint32(f.bytes, uint32(len(f.bytes)+crc32.Size))
	binary.BigEndian.PutUint32(f.bytes[8:], crc32.ChecksumIEEE(f.bytes[:8]))
	f.bytes = binary.BigEndian.AppendUint32(f.bytes, crc32.ChecksumIEEE(f.bytes))
	return f.bytes
}
