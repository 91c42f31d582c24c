package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The part of CBOR (RFC 8949) that the SDKs and the service use.
const (
	cborUint = iota << 5
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborSimple

	cborOpenArray = cborArray | 31
	cborBreak     = 0xff
	cborEpochTime = cborTag | 1
)

func cborHead(out []byte, major byte, value int) []byte {
	switch {
	case value < 24:
		return append(out, major|byte(value))
	case value < 1<<8:
		return append(out, major|24, byte(value))
	case value < 1<<16:
		return binary.BigEndian.AppendUint16(append(out, major|25), uint16(value))
	case value < 1<<32:
		return binary.BigEndian.AppendUint32(append(out, major|26), uint32(value))
	}
	return binary.BigEndian.AppendUint64(append(out, major|27), uint64(value))
}

func appendCBOR(out []byte, value any) []byte {
	switch value := value.(type) {
	case string:
		return append(cborHead(out, cborText, len(value)), value...)
	case []byte:
		return append(cborHead(out, cborBytes, len(value)), value...)
	case int:
		return cborHead(out, cborUint, value)
	case bool:
		if value {
			return append(out, cborSimple|21)
		}
		return append(out, cborSimple|20)
	case []any:
		out = cborHead(out, cborArray, len(value))
		for _, element := range value {
			out = appendCBOR(out, element)
		}
		return out
	case object:
		out = cborHead(out, cborMap, len(value))
		for name, element := range value {
			out = appendCBOR(appendCBOR(out, name), element)
		}
		return out
	}
	panic(fmt.Sprintf("no CBOR for %T", value))
}

var errCBOR = errors.New("not the CBOR of a request")

// readCBOR reads a request, which is a map.
func readCBOR(body []byte) (request object, err error) {
	defer func() {
		if recover() != nil { // the input ended too early
			err = errCBOR
		}
	}()
	value := (&cborReader{rest: body}).value()
	request, ok := value.(object)
	if !ok {
		return nil, errCBOR
	}
	return request, nil
}

type cborReader struct{ rest []byte }

func (r *cborReader) take(count int) []byte {
	taken := r.rest[:count]
	r.rest = r.rest[count:]
	return taken
}

// head returns the major type and its argument; -1 means "until the break".
func (r *cborReader) head() (byte, int) {
	first := r.take(1)[0]
	major, size := first&0xe0, first&0x1f
	switch {
	case size < 24:
		return major, int(size)
	case size == 24:
		return major, int(r.take(1)[0])
	case size == 25:
		return major, int(binary.BigEndian.Uint16(r.take(2)))
	case size == 26:
		return major, int(binary.BigEndian.Uint32(r.take(4)))
	case size == 27:
		return major, int(binary.BigEndian.Uint64(r.take(8)))
	}
	return major, -1
}

// more counts elements down, or looks for the break.
func (r *cborReader) more(left *int) bool {
	if *left >= 0 {
		*left--
		return *left >= 0
	}
	if r.rest[0] != cborBreak {
		return true
	}
	r.take(1)
	return false
}

func (r *cborReader) value() any {
	start := r.rest
	switch major, argument := r.head(); major {
	case cborUint:
		return argument
	case cborNegative:
		return -1 - argument
	case cborBytes:
		return r.take(argument)
	case cborText:
		if argument >= 0 {
			return string(r.take(argument))
		}
		text := ""
		for r.more(&argument) {
			text += r.value().(string)
		}
		return text
	case cborArray:
		list := []any{}
		for r.more(&argument) {
			list = append(list, r.value())
		}
		return list
	case cborMap:
		fields := object{}
		for r.more(&argument) {
			name := r.value().(string)
			fields[name] = r.value()
		}
		return fields
	case cborTag:
		return r.value()
	default:
		switch start[0] {
		case cborSimple | 20:
			return false
		case cborSimple | 21:
			return true
		case cborSimple | 27:
			return math.Float64frombits(uint64(argument))
		}
		return nil
	}
}
