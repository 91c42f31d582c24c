# frozen_string_literal: true

Gem::Specification.new do |spec|
  spec.name = 'kinesis_multilang'
  spec.version = '0.1.0'
  spec.summary = 'Amazon Kinesis record processors in Ruby for the MultiLangDaemon protocol.'
  spec.authors = ['The kinesis-multilang authors']
  spec.license = 'Apache-2.0'
  spec.required_ruby_version = '>= 2.7'
  spec.files = Dir['lib/**/*.rb'] + Dir['sample/*']
  spec.require_paths = ['lib']
end
