package main

import (
	"encoding/base64"
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
	// appendRecord also tells where the last 20 digits of the sequence number stand.
	appendRecord func(out []byte, first bool, payload []byte, key string, arrived time.Time) ([]byte, int)
	tail         []byte
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
	appendRecord: func(out []byte, first bool, payload []byte, key string, arrived time.Time) ([]byte, int) {
		if !first {
			out = append(out, ',')
		}
		// Seconds in the notation of the service: 1.795446660327E9.
		mantissa := float64(arrived.UnixMilli()) / 1e12
		out = append(out, `{"ApproximateArrivalTimestamp":`...)
		out = append(strconv.AppendFloat(out, mantissa, 'f', 12, 64), `E9,"Data":"`...)
		out = base64.StdEncoding.AppendEncode(out, payload)
		out = fmt.Appendf(out, `","PartitionKey":"%s","SequenceNumber":"%s"}`, key, sequenceNumber(0, 0))
		return out, len(out) - len(`"}`) - shardDigits - recordDigits
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
	appendRecord: func(out []byte, _ bool, payload []byte, key string, arrived time.Time) ([]byte, int) {
		out = cborHead(out, cborMap, 4)
		out = append(appendCBOR(out, "ApproximateArrivalTimestamp"), cborEpochTime)
		// The service's times are tagged as seconds and count milliseconds.
		out = appendCBOR(out, int(arrived.UnixMilli()))
		out = appendCBOR(appendCBOR(out, "Data"), payload)
		out = appendCBOR(appendCBOR(out, "PartitionKey"), key)
		out = appendCBOR(appendCBOR(out, "SequenceNumber"), sequenceNumber(0, 0))
		return out, len(out) - shardDigits - recordDigits
	},
	tail: []byte{cborBreak},
}
