// Calls everything of the Go producer and writes what it receives; see producerClient.ts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"kinesis-multilang/clients/go/producer"
)

func main() {
	p := must(start())
	data := make([]byte, 256)
	for i := range data {
		data[i] = byte(i)
	}
	record := producer.Record{
		PartitionKey: "k", Data: data, Stream: "words",
		ExplicitHashKey: "170141183460469231731687303715884105728",
	}
	var puts []*producer.Pending
	for i := 0; i < 20; i++ {
		puts = append(puts, p.Put(context.Background(), record))
	}
	flushed := must(p.Flush(30 * time.Second))
	shards, successes := map[string]bool{}, map[bool]bool{}
	for _, put := range puts {
		stored := must(put.Wait(context.Background()))
		shards[stored.ShardID] = true
		for _, attempt := range stored.Attempts {
			successes[attempt.Success] = true
		}
	}
	received := 0.0
	for _, figure := range must(p.Metrics("UserRecordsReceived", 0)) {
		if len(figure.Dimensions) == 0 {
			received += figure.Sum
		}
	}
	failed := failure(p, "")
	totals := must(p.Close())
	answer := must(json.Marshal(map[string]interface{}{
		"shards":     keys(shards),
		"attempts":   keys(successes),
		"flushed":    flushed,
		"received":   received,
		"failed":     failed,
		"afterClose": failure(p, "k"),
		"totals":     []int{totals.Stored, totals.Failed, totals.NotStored},
	}))
	must(os.Stdout.Write(append(answer, 10)))
}

func start() (*producer.Producer, error) {
	if path := os.Getenv("PRODUCER_SOCKET"); path != "" {
		return producer.Connect(path)
	}
	return producer.Start("--ignored")
}

func failure(p *producer.Producer, partitionKey string) string {
	put := p.Put(context.Background(), producer.Record{PartitionKey: partitionKey, Data: []byte("text")})
	_, err := put.Wait(context.Background())
	var failed *producer.Error
	if errors.As(err, &failed) {
		return failed.Code
	}
	return "no error"
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func keys[K comparable](set map[K]bool) []K {
	var all []K
	for key := range set {
		all = append(all, key)
	}
	return all
}
