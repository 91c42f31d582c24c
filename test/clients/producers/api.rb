# frozen_string_literal: true

# Calls everything of the Ruby producer and writes what it receives; see producerClient.ts.

require_relative '../../../clients/ruby/lib/kinesis_multilang/producer'

producer = KinesisMultilang::Producer.new('--ignored', socket: ENV['PRODUCER_SOCKET'])
data = (0..255).to_a.pack('C*')
puts_ = Array.new(20) { producer.put('k', data, explicit_hash_key: 2**127, stream: 'words') }
flushed = producer.flush(timeout: 30)
results = puts_.map(&:value)
received = producer.metrics(name: 'UserRecordsReceived')
failed = producer.put('', 'text').error
totals = producer.close
puts JSON.generate(
  shards: results.map(&:shard_id).uniq,
  attempts: results.flat_map(&:attempts).map(&:success).uniq,
  flushed: flushed,
  received: received.select { |figure| figure['dimensions'].empty? }.sum { |figure| figure['sum'] },
  failed: failed.code,
  afterClose: producer.put('k', 'text').error.code,
  totals: totals.to_a
)
