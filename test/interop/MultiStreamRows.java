// Reads and writes lease rows with KCL's own serializer, for multiStream.test.ts: it writes the row
// of a new lease as JSON, and says what KCL makes of a row in JSON.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.kinesis.common.HashKeyRangeForLease;
import software.amazon.kinesis.leases.MultiStreamLease;
import software.amazon.kinesis.leases.dynamodb.DynamoDBMultiStreamLeaseSerializer;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

public class MultiStreamRows {
  static final ObjectMapper JSON = new ObjectMapper();
  static final DynamoDBMultiStreamLeaseSerializer ROWS = new DynamoDBMultiStreamLeaseSerializer();

  /** Arguments: a stream identifier, a shard, its parent, and a row as JSON. */
  public static void main(String[] args) throws Exception {
    MultiStreamLease lease = new MultiStreamLease();
    lease.leaseKey(MultiStreamLease.getLeaseKey(args[0], args[1]));
    lease.streamIdentifier(args[0]);
    lease.shardId(args[1]);
    lease.leaseCounter(0L);
    lease.ownerSwitchesSinceCheckpoint(0L);
    lease.checkpoint(ExtendedSequenceNumber.TRIM_HORIZON);
    lease.parentShardIds(Arrays.asList(args[2]));
    lease.hashKeyRange(HashKeyRangeForLease.deserialize("0", "99"));
    Map<String, Map<String, Object>> written = new TreeMap<>();
    ROWS.toDynamoRecord(lease).forEach((name, value) -> written.put(name, plain(value)));

    Map<String, AttributeValue> row = new HashMap<>();
    JSON.readTree(args[3]).fields().forEachRemaining(each -> row.put(each.getKey(), typed(each.getValue())));
    MultiStreamLease read = ROWS.fromDynamoRecord(row);
    Map<String, Object> found = new TreeMap<>();
    found.put("key", MultiStreamLease.getLeaseKey(read.streamIdentifier(), read.shardId()));
    found.put("leaseKey", read.leaseKey());
    found.put("parents", new TreeSet<>(read.parentShardIds()));
    found.put("checkpoint", read.checkpoint().sequenceNumber());
    System.out.println(JSON.writeValueAsString(Map.of("written", written, "read", found)));
  }

  static Map<String, Object> plain(AttributeValue value) {
    if (value.s() != null) return Map.of("S", value.s());
    if (value.n() != null) return Map.of("N", value.n());
    return Map.of("SS", value.ss());
  }

  static AttributeValue typed(JsonNode value) {
    if (value.has("S")) return AttributeValue.builder().s(value.get("S").asText()).build();
    if (value.has("N")) return AttributeValue.builder().n(value.get("N").asText()).build();
    List<String> texts = new ArrayList<>();
    value.get("SS").forEach(each -> texts.add(each.asText()));
    return AttributeValue.builder().ss(texts).build();
  }
}
