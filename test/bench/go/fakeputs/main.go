// fakeputs is the writing side of a Kinesis stream: ListShards, DescribeStreamSummary and
// PutRecords for any stream, in JSON, with the service's limits per second and shard. It stores
// nothing. It opens each record, which may be an aggregate of the Kinesis Producer Library, and
// counts what is in it. A user record begins with the time at which it was put, in microseconds since
// 1970 as 8 bytes, most significant first. A GET returns the counts, and /begin forgets what came
// before. It listens with and without TLS, and its certificate is signed by nobody. Once it listens,
// it writes both addresses to STDOUT.
package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"
)

func main() {
	shards := flag.Int("shards", 1, "number of shards")
	limited := flag.Bool("limits", false, "1,000 records and 1 MiB a second and shard, as the service")
	flag.Parse()

	stream := &stream{shards: newShards(*shards, *limited)}
	server := &http.Server{Handler: http.HandlerFunc(stream.serve)}
	plain, encrypted := listen(), listen()
	fmt.Printf("http://%s https://%s\n", plain.Addr(), encrypted.Addr())
	config := &tls.Config{Certificates: []tls.Certificate{newCertificate()}}
	go func() { log.Fatal(server.Serve(tls.NewListener(encrypted, config))) }()
	log.Fatal(server.Serve(plain))
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

// object is the content of a response.
type object = map[string]any

// request has the parameters of PutRecords.
type request struct {
	Records []entry
}

type entry struct {
	Data            string
	PartitionKey    string
	ExplicitHashKey string
}

func (s *stream) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		answer(w, s.report(r.URL.Path == "/begin"))
		return
	}
	var asked request
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		refuse(w, "SerializationException", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch operation {
	case "PutRecords":
		answer(w, s.putRecords(asked.Records))
	case "ListShards":
		answer(w, object{"Shards": s.list()})
	case "DescribeStreamSummary":
		answer(w, object{"StreamDescriptionSummary": object{
			"StreamName": "bench", "StreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/bench",
			"StreamStatus": "ACTIVE", "RetentionPeriodHours": 24, "StreamCreationTimestamp": 1.7e9,
			"EnhancedMonitoring": []object{}, "OpenShardCount": len(s.shards)}})
	default:
		refuse(w, "UnknownOperationException", operation)
	}
}

func (s *stream) putRecords(entries []entry) object {
	now := time.Now()
	failed := 0
	results := make([]object, len(entries))
	for i, entry := range entries {
		data, err := base64.StdEncoding.DecodeString(entry.Data)
		if err != nil {
			log.Fatal(err)
		}
		shard := s.shardOf(entry)
		if !shard.accepts(len(data)+len(entry.PartitionKey), now) {
			failed++
			results[i] = object{"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded for shard " + shard.id}
			continue
		}
		results[i] = object{"ShardId": shard.id, "SequenceNumber": shard.nextSequence()}
		s.counts.stored(data, now)
	}
	s.counts.called(len(entries), failed)
	return object{"FailedRecordCount": failed, "Records": results}
}

func (s *stream) list() []object {
	list := make([]object, len(s.shards))
	for i, shard := range s.shards {
		list[i] = object{
			"ShardId":             shard.id,
			"HashKeyRange":        object{"StartingHashKey": shard.first.String(), "EndingHashKey": new(big.Int).Sub(shard.end, big.NewInt(1)).String()},
			"SequenceNumberRange": object{"StartingSequenceNumber": "49590338271490256608559692538361571095921575989136588898"},
		}
	}
	return list
}

func refuse(w http.ResponseWriter, kind, message string) {
	w.WriteHeader(http.StatusBadRequest)
	answer(w, object{"__type": kind, "message": message})
}

func answer(w http.ResponseWriter, content any) {
	body, _ := json.Marshal(content)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Write(body)
}
