package main

import (
	"crypto/md5"
	"fmt"
	"log"
	"math/big"
	"sync"
	"time"
)

// What a shard accepts in a second, and what an idle one saves.
const (
	recordsPerSecond = 1_000
	bytesPerSecond   = 1 << 20
)

type stream struct {
	shards []*shard
	counts counts
}

type shard struct {
	id         string
	first, end *big.Int
	limited    bool

	lock     sync.Mutex
	records  float64
	bytes    float64
	at       time.Time
	sequence int
}

func newShards(count int, limited bool) []*shard {
	border := func(i int) *big.Int {
		all := new(big.Int).Lsh(big.NewInt(int64(i)), 128)
		return all.Div(all, big.NewInt(int64(count)))
	}
	shards := make([]*shard, count)
	for i := range shards {
		shards[i] = &shard{
			id: fmt.Sprintf("shardId-%012d", i), first: border(i), end: border(i + 1), limited: limited,
			records: recordsPerSecond, bytes: bytesPerSecond, at: time.Now(),
		}
	}
	return shards
}

func (s *stream) shardOf(entry entry) *shard {
	hash := new(big.Int)
	if entry.ExplicitHashKey == "" {
		sum := md5.Sum([]byte(entry.PartitionKey))
		hash.SetBytes(sum[:])
	} else if _, ok := hash.SetString(entry.ExplicitHashKey, 10); !ok {
		log.Fatalf("hash key %q", entry.ExplicitHashKey)
	}
	part := hash.Mul(hash, big.NewInt(int64(len(s.shards))))
	return s.shards[part.Rsh(part, 128).Int64()]
}

func (s *shard) accepts(bytes int, now time.Time) bool {
	if !s.limited {
		return true
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if seconds := now.Sub(s.at).Seconds(); seconds > 0 {
		s.at = now
		s.records = min(recordsPerSecond, s.records+seconds*recordsPerSecond)
		s.bytes = min(bytesPerSecond, s.bytes+seconds*bytesPerSecond)
	}
	if s.records < 1 || s.bytes < float64(bytes) {
		return false
	}
	s.records--
	s.bytes -= float64(bytes)
	return true
}

func (s *shard) nextSequence() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.sequence++
	return fmt.Sprintf("495903382714902566085596925383615710%020d", s.sequence)
}
