package main

import (
	"context"
	"net/http"
	"time"
)

const (
	// The maximum size of an event; the service does not document its own. A larger record comes
	// alone.
	mostEventBytes = 1 << 20
	// An event without records comes after a shard has been silent this long.
	silence = 5 * time.Second
	// After this time the service ends a subscription.
	subscriptionLife = 5 * time.Minute
)

// consumer returns the requested consumer: it always exists and is ACTIVE.
func consumer(request object) object {
	name, _ := request["ConsumerName"].(string)
	return object{
		"ConsumerName":              name,
		"ConsumerARN":               streamARN + "/consumer/" + name + ":1",
		"ConsumerStatus":            "ACTIVE",
		"ConsumerCreationTimestamp": 1_700_000_000,
	}
}

// subscribeToShard pushes a shard's records as fast as the client reads them, because a write waits
// while the connection is full. After that it pushes each record the moment it is put.
func (s *stream) subscribeToShard(w http.ResponseWriter, r *http.Request, form *form, request object) {
	id, _ := request["ShardId"].(string)
	shard, ok := s.shardOf(id)
	if !ok {
		refuse(w, form, "ResourceNotFoundException", "no shard "+id)
		return
	}
	place, _ := request["StartingPosition"].(object)
	position := s.startOf(shard, place["Type"], place["SequenceNumber"])

	life, cancel := context.WithTimeout(r.Context(), subscriptionLife)
	defer cancel()
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	connection := http.NewResponseController(w)
	out := &frame{}
	out.begin("initial-response", form.contentType)
	out.bytes = append(out.bytes, form.marshal(object{})...)
	for {
		if _, err := w.Write(out.finish()); err != nil || connection.Flush() != nil {
			return
		}
		s.limits[shard].wait(life)
		if writer := s.writers[shard]; writer != nil {
			writer.wait(life, position)
		} else if position >= s.records {
			s.puts[shard].wait(life, position-s.records)
		}
		if life.Err() != nil {
			return
		}
		out.begin("SubscribeToShardEvent", form.contentType)
		position = s.appendEvent(out, form, shard, position)
	}
}

// appendEvent renders the records after the first count, and returns the new count.
func (s *stream) appendEvent(out *frame, form *form, shard, before int) int {
	page := s.pages[form]
	written := s.written(shard)
	count := min(len(page.ends), written-before, max(1, mostEventBytes/max(1, s.payloadBytes)))
	var put []putRecord
	s.limits[shard].pay(max(0, count) * s.payloadBytes)
	if count <= 0 {
		put = s.puts[shard].after(before - written)
		count = len(put)
	}
	next := before + count
	out.bytes = form.appendHead(out.bytes, s.behind(shard, next), "ContinuationSequenceNumber", sequenceNumber(shard, next))
	if put == nil {
		out.bytes = page.appendRecords(out.bytes, count, shard, before, s.writers[shard])
	}
	out.bytes = appendPut(out.bytes, form, put, shard, before)
	out.bytes = append(out.bytes, form.tail...)
	return next
}
