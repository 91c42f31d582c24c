# frozen_string_literal: true

# The minimum for reading batches in Ruby, without a client: the standard library's lines, JSON and
# base64. It answers every message, and cannot do anything else.

require 'json'

$stdout.sync = true
$stdin.each_line do |line|
  message = JSON.parse(line)
  message['records']&.each { |record| record['data'].unpack1('m') }
  puts JSON.generate('action' => 'status', 'responseFor' => message['action'])
end
