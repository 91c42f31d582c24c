// fakekinesis is the reading side of a Kinesis stream at almost no cost. Every shard has the same
// number of records, rendered before the first call. A call copies them and rewrites the sequence
// numbers.
//
// It answers a consumer's requests (ListShards, DescribeStream, DescribeStreamSummary;
// GetShardIterator, GetRecords; RegisterStreamConsumer, DescribeStreamConsumer, SubscribeToShard)
// for any stream. It uses JSON or CBOR like the request, over HTTP/1.1 or HTTP/2, with or without
// TLS. It applies the service's limits per call (10,000 records, 10 MiB), and with -limits those
// per second and shard. It checks no signature. With -rate, each shard is written at that rate from
// its first read on, and starts with -backlog seconds of records. A record that is put is pushed to
// the shard's subscribers at once, and is returned by the next GetRecords. Once it listens, it
// writes its address to STDOUT.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func main() {
	shards := flag.Int("shards", 1, "number of shards")
	records := flag.Int("records", 100_000, "records in each shard")
	size := flag.Int("size", 1024, "bytes in each record")
	aggregate := flag.Int("aggregate", 0, "KPL user records of that size in each record; 0: plain records")
	rate := flag.Int("rate", 0, "records a second that each shard is written with; 0: all are there from the beginning")
	backlog := flag.Int("backlog", 0, "with -rate: seconds that each shard was written before it is first read")
	limited := flag.Bool("limits", false, "5 GetRecords calls and 2 MiB a second and shard, as the service")
	certificateFile := flag.String("tls", "", "use TLS, and write the certificate to this file")
	flag.Parse()

	paced := pacing{*rate, time.Duration(*backlog) * time.Second}
	stream := newStream(*shards, *records, *size, *aggregate, paced, *limited)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: http.HandlerFunc(stream.serve), Protocols: protocols}
	if *certificateFile == "" {
		fmt.Printf("http://%s\n", listener.Addr())
		log.Fatal(server.Serve(listener))
	}
	certificate, err := newCertificate(*certificateFile)
	if err != nil {
		log.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}
	fmt.Printf("https://%s\n", listener.Addr())
	log.Fatal(server.Serve(plainListener{tls.NewListener(listener, config)}))
}

// object is the content of a request or a response.
type object = map[string]any

func (s *stream) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		s.counts.report(w)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	request := object{}
	form := inJSON
	if strings.Contains(r.Header.Get("Content-Type"), "cbor") {
		form = inCBOR
		request, err = readCBOR(body)
	} else {
		err = json.Unmarshal(body, &request)
	}
	w.Header().Set("Content-Type", form.contentType)
	if err != nil {
		refuse(w, form, "SerializationException", err.Error())
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch operation {
	case "GetRecords":
		s.counts.calls.Add(1)
		s.getRecords(w, form, request)
	case "GetShardIterator":
		s.getShardIterator(w, form, request)
	case "SubscribeToShard":
		s.subscribeToShard(w, r, form, request)
	case "RegisterStreamConsumer":
		write(w, form, object{"Consumer": consumer(request)})
	case "DescribeStreamConsumer":
		write(w, form, object{"ConsumerDescription": consumer(request)})
	case "CreateStream": // every stream exists
		write(w, form, object{})
	case "PutRecord":
		s.putRecord(w, form, request)
	case "ListShards":
		write(w, form, object{"Shards": s.shardList()})
	case "DescribeStream":
		write(w, form, object{"StreamDescription": s.description(object{"HasMoreShards": false, "Shards": s.shardList()})})
	case "DescribeStreamSummary":
		write(w, form, object{"StreamDescriptionSummary": s.description(object{"OpenShardCount": s.shards})})
	default:
		refuse(w, form, "UnknownOperationException", operation)
	}
}

func refuse(w http.ResponseWriter, form *form, kind, message string) {
	w.WriteHeader(http.StatusBadRequest)
	write(w, form, object{"__type": kind, "message": message})
}

func write(w http.ResponseWriter, form *form, answer object) {
	body := form.marshal(answer)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}
