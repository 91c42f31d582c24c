# frozen_string_literal: true

# The echo processor on our Ruby client. It decodes each record's data. ../go/echochild/main.go
# describes its notes.

require_relative '../../../clients/ruby/lib/kinesis_multilang'

class Echo < Aws::KCLrb::V2::RecordProcessorBase
  def initialize
    super
    @notes = File.open(File.join(ENV.fetch('BENCH_NOTES'), Process.pid.to_s), 'w')
    @notes.sync = true
    note('start')
  end

  def init_processor(_input)
    note('init')
  end

  def process_records(input)
    bytes = 0
    input.records.each { |record| bytes += record['data'].unpack1('m').bytesize }
    note('batch', input.records.size, bytes)
  end

  def lease_lost(_input); end

  def shard_ended(input)
    input.checkpointer.checkpoint
  end

  def shutdown_requested(input)
    input.checkpointer.checkpoint
  end

  private

  def note(word, *numbers)
    nanos = Process.clock_gettime(Process::CLOCK_REALTIME, :nanosecond)
    @notes.puts([word, nanos, *numbers].join(' '))
  end
end

Aws::KCLrb::KCLProcess.new(Echo.new).run
