package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// pacing describes how shards are written.
type pacing struct {
	perSecond int
	backlog   time.Duration
}

// The service collects writes before it pushes them.
const pushEvery = 100 * time.Millisecond

// writer writes one shard at a steady rate. It starts when the shard is first read, so a daemon
// that starts slowly finds no more records than others.
type writer struct {
	pacing
	begin func() time.Time
}

func newWriters(shards int, paced pacing) []*writer {
	writers := make([]*writer, shards)
	if paced.perSecond == 0 {
		return writers
	}
	for i := range writers {
		writers[i] = &writer{paced, sync.OnceValue(func() time.Time { return time.Now().Add(-paced.backlog) })}
	}
	return writers
}

func (w *writer) written() int {
	return int(time.Since(w.begin()) * time.Duration(w.perSecond) / time.Second)
}

// arrivalOf returns when the record after the first `before` records arrived.
func (w *writer) arrivalOf(before int) time.Time {
	return w.begin().Add(time.Duration(before+1) * time.Second / time.Duration(w.perSecond))
}

// wait returns once there are more than `before` records, with those that arrive together.
func (w *writer) wait(ctx context.Context, before int) {
	sleep(ctx, time.Until(w.arrivalOf(before).Add(pushEvery)))
}

// written returns how many records a shard has, without those that were put.
func (s *stream) written(shard int) int {
	if writer := s.writers[shard]; writer != nil {
		return writer.written()
	}
	return s.records
}

// behind returns how many milliseconds the first count records are behind the shard's tip. Without
// a writer it assumes one record per millisecond.
func (s *stream) behind(shard, count int) int {
	left := max(0, s.written(shard)-count)
	if writer := s.writers[shard]; writer != nil {
		return left * 1000 / writer.perSecond
	}
	return left
}

// The service's limits for a shard, shared by all its GetRecords readers, and for each
// subscription.
const (
	callsPerSecond = 5
	bytesPerSecond = 2 << 20
)

// limits are two buckets, of calls and of bytes, that fill at these rates and hold one second's
// worth. A response may be larger than the rest of the bucket, up to 10 MiB. Then nothing more is
// returned until the deficit is made up, 4 to 5 seconds later.
type limits struct {
	lock         sync.Mutex
	calls, bytes float64
	at           time.Time
}

func newLimits(shards int, limited bool) []*limits {
	all := make([]*limits, shards)
	for i := range all {
		if limited {
			all[i] = &limits{calls: callsPerSecond, bytes: bytesPerSecond, at: time.Now()}
		}
	}
	return all
}

func (l *limits) fill() {
	now := time.Now()
	seconds := now.Sub(l.at).Seconds()
	l.at = now
	l.calls = min(callsPerSecond, l.calls+seconds*callsPerSecond)
	l.bytes = min(bytesPerSecond, l.bytes+seconds*bytesPerSecond)
}

// take reports whether a call is permitted.
func (l *limits) take() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.fill()
	if l.calls < 1 || l.bytes <= 0 {
		return false
	}
	l.calls--
	return true
}

func (l *limits) pay(bytes int) {
	if l == nil {
		return
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	l.fill()
	l.bytes -= float64(bytes)
}

// wait returns when a subscription may receive more.
func (l *limits) wait(ctx context.Context) {
	if l == nil {
		return
	}
	l.lock.Lock()
	l.fill()
	owed := -l.bytes
	l.lock.Unlock()
	sleep(ctx, time.Duration(owed/bytesPerSecond*float64(time.Second)))
}

func sleep(ctx context.Context, duration time.Duration) {
	if duration <= 0 {
		return
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// counts are the totals of all shards since the start. Any client may GET them.
type counts struct{ calls, refused atomic.Int64 }

func (c *counts) report(w http.ResponseWriter) {
	fmt.Fprintf(w, `{"calls":%d,"refused":%d}`, c.calls.Load(), c.refused.Load())
}
