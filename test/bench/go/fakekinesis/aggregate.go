package main

import (
	"crypto/md5"
	"encoding/binary"
	"slices"
)

// The first bytes of a KPL record that contains others.
var aggregateMagic = []byte{0xf3, 0x89, 0x9a, 0xc2}

// aggregateOf renders user records like the KPL: its first bytes, a Protocol Buffers message and
// its MD5. In the message, field 1 has the partition keys and field 3 the records. In a record,
// field 1 is the key's index and field 3 the data.
func aggregateOf(count int, payload func() []byte) []byte {
	var message []byte
	message = appendField(message, 1, []byte("user"))
	for range count {
		record := binary.AppendUvarint([]byte{1 << 3}, 0)
		record = appendField(record, 3, payload())
		message = appendField(message, 3, record)
	}
	sum := md5.Sum(message)
	return slices.Concat(aggregateMagic, message, sum[:])
}

// appendField appends a field whose value has a length.
func appendField(message []byte, field byte, value []byte) []byte {
	message = binary.AppendUvarint(append(message, field<<3|2), uint64(len(value)))
	return append(message, value...)
}
