# frozen_string_literal: true

# The echo processor on our Ruby client: it takes each batch and answers.

require_relative '../../../clients/ruby/lib/kinesis_multilang'

class Echo < Aws::KCLrb::V2::RecordProcessorBase
  def init_processor(_input); end

  def process_records(_input); end

  def lease_lost(_input); end

  def shard_ended(input)
    input.checkpointer.checkpoint
  end

  def shutdown_requested(input)
    input.checkpointer.checkpoint
  end
end

Aws::KCLrb::KCLProcess.new(Echo.new).run
