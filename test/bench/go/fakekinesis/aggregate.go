package main

import (
	"crypto/md5"
	"encoding/binary"
	"slices"
)

// The first bytes of a record of the KPL that holds others.
var aggregateMagic = []byte{0xf3, 0x89, 0x9a, 0xc2}

// aggregateOf renders user records as the KPL does: its first bytes, a message in protocol buffers
// (1: the partition keys, 3: the records, of which 1 is the key's index and 3 the data), and its MD5.
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
