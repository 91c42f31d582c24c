package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// form is one of the two encodings of a response. A response or event with records consists of
// head, records and tail. The head also contains the name of what comes next.
type form struct {
	contentType string
	marshal     func(object) []byte
	appendHead  func(out []byte, millisBehind int, nextName, next string) []byte
	// appendRecord also returns the offsets of its changing parts.
	appendRecord func(out []byte, first bool, payload []byte, key string, arrived time.Time) ([]byte, changing)
	putArrival   func(out []byte, unixMilli int64)
	tail         []byte
}

// changing contains the offsets of a record's parts that are rewritten for each response.
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
		// Seconds in the service's notation: 1.795446660327E9.
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
		// The service tags its times as seconds, but counts milliseconds.
		out = appendCBOR(out, int(arrived.UnixMilli()))
		out = appendCBOR(appendCBOR(out, "Data"), payload)
		out = appendCBOR(appendCBOR(out, "PartitionKey"), key)
		out = appendCBOR(appendCBOR(out, "SequenceNumber"), sequenceNumber(0, 0))
		return out, changing{arrival, len(out) - shardDigits - recordDigits}
	},
	putArrival: func(out []byte, unixMilli int64) {
		binary.BigEndian.PutUint64(out[1:], uint64(unixMilli)) // after its head
	},
	tail: []byte{cborBreak},
}
