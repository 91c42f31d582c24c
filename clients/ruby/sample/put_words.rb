# frozen_string_literal: true

# Puts records from STDIN, one per line: a partition key, a tab and a text. It writes one line for
# each record to STDOUT, in the same order, as soon as its outcome is known: `stored SHARD_ID
# SEQUENCE_NUMBER SUB_SEQUENCE_NUMBER` or `failed ERROR`. Its arguments are options of
# `kinesis-multilang produce`, such as `--stream words`.

require_relative '../lib/kinesis_multilang/producer'

$stdout.sync = true
$stdin.set_encoding(Encoding::UTF_8)
answers = Queue.new
failed = false
reporter = Thread.new do
  while (answer = answers.pop)
    if answer.error
      failed = true
      puts "failed #{answer.error.code}"
    else
      puts "stored #{answer.value.to_a.first(3).join(' ')}"
    end
  end
end

begin
  KinesisMultilang::Producer.open(*ARGV) do |producer|
    $stdin.each_line("\n", chomp: true) do |line|
      partition_key, _, text = line.partition("\t")
      answers << producer.put(partition_key, text)
    end
    producer.flush
  end
ensure
  answers << nil
  reporter.join
end
exit(!failed)
