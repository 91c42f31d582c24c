package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// form is one of the two encodings of an answer. An answer or event with records is head,
// records, tail; the head also says under which name what comes next.
type form struct {
	contentType string
	marshal     func(object) []byte
	appendHead  func(out []byte, millisBehind int, nextName, next string) []byte
	// appendRecord also tells where its changing parts stand.
	appendRecord func(out []byte, first bool, payload []byte, key string, arrived time.Time) ([]byte, changing)
	putArrival   func(out []byte, unixMilli int64)
	tail         []byte
}

// changing holds where those parts of a record begin that are written anew for each answer.
type changing struct {
	arrival  int
	sequence int // the last 20 digits of the number
}

var inJSON = &form{
	contentType: "application/x-amz-json-1.1",
	marshal: func(answer object) []byte {
		body, _ := json.Marshal(answer)
		return body
	},
	appendHead: func(out []byte, millisBehind int, nextName, next string) []byte {
		return fmt.Appendf(out, `{"MillisBehindLatest":%d,"%s":"%s","Records":[`, millisBehind, nextName, next)
	},
	appendRecord: func(out []byte, first bool, payload []byte, key string, arrived time.Time) ([]byte, changing) {
		if !first {
			out = append(out, ',')
		}
		// Seconds in the notation of the service: 1.795446660327E9.
		mantissa := float64(arrived.UnixMilli()) / 1e12
		out = append(out, `{"ApproximateArrivalTimestamp":`...)
		arrival := len(out)
		out = append(strconv.AppendFloat(out, mantissa, 'f', 12, 64), `E9,"Data":"`...)
		out = base64.StdEncoding.AppendEncode(out, payload)
		out = fmt.Appendf(out, `","PartitionKey":"%s","SequenceNumber":"%s"}`, key, sequenceNumber(0, 0))
		return out, changing{arrival, len(out) - len(`"}`) - shardDigits - recordDigits}
	},
	putArrival: func(out []byte, unixMilli int64) {
		const fraction = 12
		out[0] = '0' + byte(unixMilli/1e12)
		putDigits(out[len("1."):len("1.")+fraction], int(unixMilli%1e12))
	},
	tail: []byte(`]}`),
}

var inCBOR = &form{
	contentType: "application/x-amz-cbor-1.1",
	marshal:     func(answer object) []byte { return appendCBOR(nil, answer) },
	appendHead: func(out []byte, millisBehind int, nextName, next string) []byte {
		out = cborHead(out, cborMap, 3)
		out = appendCBOR(appendCBOR(out, "MillisBehindLatest"), millisBehind)
		out = appendCBOR(appendCBOR(out, nextName), next)
		return append(appendCBOR(out, "Records"), cborOpenArray)
	},
	appendRecord: func(out []byte, _ bool, payload []byte, key string, arrived time.Time) ([]byte, changing) {
		out = cborHead(out, cborMap, 4)
		out = append(appendCBOR(out, "ApproximateArrivalTimestamp"), cborEpochTime)
		arrival := len(out)
		// The service's times are tagged as seconds and count milliseconds.
		out = appendCBOR(out, int(arrived.UnixMilli()))
		out = appendCBOR(appendCBOR(out, "Data"), payload)
		out = appendCBOR(appendCBOR(out, "PartitionKey"), key)
		out = appendCBOR(appendCBOR(out, "SequenceNumber"), sequenceNumber(0, 0))
		return out, changing{arrival, len(out) - shardDigits - recordDigits}
	},
	putArrival: func(out []byte, unixMilli int64) {
		binary.BigEndian.PutUint64(out[1:], uint64(unixMilli)) // behind its head
	},
	tail: []byte{cborBreak},
}
