#!/usr/bin/env ruby
# frozen_string_literal: true

# Counts words: each record is one UTF-8 word. The sample stores a shard's counts before each
# checkpoint, so a restart continues from counts that match the checkpoint. If the process dies
# between the two, it counts the words since the last checkpoint twice.

require 'json'
require_relative '../lib/kinesis_multilang'

class WordCount < Aws::KCLrb::V2::RecordProcessorBase
  CHECKPOINT_EVERY_SECONDS = 1.0
  DIRECTORY = ENV['WORD_COUNT_DIR']

  def init_processor(initialize_input)
    @shard_id = initialize_input.shard_id
    @next_checkpoint = 0.0
    # Without a checkpoint all records arrive again, so counting starts at zero.
    continues = DIRECTORY && initialize_input.sequence_number.to_s.match?(/\A\d+\z/) && File.exist?(file)
    @counts = continues ? JSON.parse(File.read(file, encoding: 'UTF-8')) : {}
    @counts.default = 0
  end

  def process_records(process_records_input)
    process_records_input.records.each do |record|
      word = record['data'].unpack1('m').force_encoding(Encoding::UTF_8).scrub
      @counts[word] += 1
    end
    return if now < @next_checkpoint

    checkpoint(process_records_input.checkpointer)
    @next_checkpoint = now + CHECKPOINT_EVERY_SECONDS
  end

  def lease_lost(_lease_lost_input)
    report
  end

  def shard_ended(shard_ended_input)
    checkpoint(shard_ended_input.checkpointer)
    report
  end

  def shutdown_requested(shutdown_requested_input)
    checkpoint(shutdown_requested_input.checkpointer)
  end

  private

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def file
    File.join(DIRECTORY, "#{@shard_id}.json")
  end

  def checkpoint(checkpointer)
    if DIRECTORY
      draft = "#{file}.#{Process.pid}.tmp"
      File.write(draft, JSON.generate(@counts), encoding: 'UTF-8')
      File.rename(draft, file)
    end
    checkpointer.checkpoint
  rescue Aws::KCLrb::CheckpointError => e
    # Another worker holds the shard now; lease_lost follows.
    raise unless e.value == 'ShutdownException'
  end

  def report
    warn("#{@shard_id}: #{JSON.generate(@counts)}") unless DIRECTORY
  end
end

Aws::KCLrb::KCLProcess.new(WordCount.new).run
