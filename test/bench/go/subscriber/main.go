// subscriber subscribes to the first shard of a stream and does nothing else, so it measures the
// service's own time. It notes the age of each record in $BENCH_NOTES/<pid>, like echochild with
// -age.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	url := flag.String("url", "", "the endpoint")
	consumer := flag.String("consumer", "", "the ARN of a consumer that is ACTIVE")
	flag.Parse()
	notes, err := os.Create(filepath.Join(os.Getenv("BENCH_NOTES"), strconv.Itoa(os.Getpid())))
	if err != nil {
		log.Fatal(err)
	}
	answer, err := subscribe(*url, *consumer)
	if err != nil {
		log.Fatal(err)
	}
	stream := bufio.NewReaderSize(answer, 1<<16)
	for {
		payload, err := nextPayload(stream)
		if err != nil {
			log.Fatal(err)
		}
		now := time.Now().UnixNano()
		var event struct{ Records []struct{ Data []byte } }
		if err := json.Unmarshal(payload, &event); err != nil {
			log.Fatal(err)
		}
		for _, record := range event.Records {
			if sent, err := strconv.ParseInt(string(record.Data), 10, 64); err == nil {
				fmt.Fprintf(notes, "age %d %d\n", now, now-sent)
			}
		}
	}
}

// subscribe prints a line once it runs. Records that are put after that arrive.
func subscribe(url, consumer string) (io.Reader, error) {
	body := fmt.Sprintf(
		`{"ConsumerARN":"%s","ShardId":"shardId-000000000000","StartingPosition":{"Type":"LATEST"}}`, consumer)
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "Kinesis_20131202.SubscribeToShard")
	request.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
	// The fake service does not check it.
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20000101/us-east-1/kinesis/aws4_request, "+
		"SignedHeaders=host, Signature=0")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		return nil, fmt.Errorf("%s: %s", answer.Status, text)
	}
	return answer.Body, nil
}

const (
	preludeBytes  = 12
	checksumBytes = 4
)

// nextPayload reads a message of the event stream, without checking its checksums.
func nextPayload(stream io.Reader) ([]byte, error) {
	var prelude [preludeBytes]byte
	if _, err := io.ReadFull(stream, prelude[:]); err != nil {
		return nil, err
	}
	rest := make([]byte, binary.BigEndian.Uint32(prelude[:])-preludeBytes)
	if _, err := io.ReadFull(stream, rest); err != nil {
		return nil, err
	}
	headers := binary.BigEndian.Uint32(prelude[4:])
	return rest[headers : len(rest)-checksumBytes], nil
}
