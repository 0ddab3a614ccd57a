import com.amazonaws.services.schemaregistry.common.configs.GlueSchemaRegistryConfiguration;
import com.amazonaws.services.schemaregistry.serializers.SerializationDataEncoder;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** Events as Java's serializers write them. Usage: java Record FOLDER APICURIO (its own API, /apis/registry/v2). */
public class Record {
    /** A schema's version has one of its own, so that both events can share a topic. */
    static final Map<String, UUID> GLUE = Map.of(
        "ours", UUID.fromString("b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63"),
        "booking", UUID.fromString("5f0c2c1e-7f6b-4d53-9f0e-2a1d6b8c4e70"));

    static String hex(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (byte one : bytes) out.append(String.format("%02x", one));
        return out.toString();
    }

    static void say(String by, String event, String framing, byte[] value, RecordHeaders headers) {
        StringBuilder out = new StringBuilder();
        for (Header header : headers) {
            out.append(out.length() == 0 ? "" : ", ").append('"').append(header.key()).append("\": \"");
            out.append(hex(header.value())).append('"');
        }
        System.out.printf("{\"by\": \"%s\", \"event\": \"%s\", \"framing\": \"%s\", \"value\": \"%s\", \"headers\": {%s}}%n",
            by, event, framing, hex(value), out);
    }

    static GenericRecord ours(Schema schema) {
        Map<String, Object> keys = new HashMap<>();
        keys.put("flightNumber", 49L);
        keys.put("gate", "B7");
        keys.put("late", true);
        keys.put("hours", 1.5d);
        keys.put("seat", null);
        return new GenericRecordBuilder(schema)
            .set("eventId", "evt-recorded-1").set("serviceId", "0A1B2C3D4E5F").set("phoneNumber", "12515550123")
            .set("mobileOperatorId", 383L).set("variables", Map.of("session", keys))
            .set("createdAt", 1800000000000L).set("expiresAt", 1800000900000L).build();
    }

    static GenericRecord booking(Schema schema) {
        GenericRecord passenger = new GenericRecordBuilder(schema.getField("passenger").schema())
            .set("name", "Ada").set("phone", "+1 251 555 0123").build();
        return new GenericRecordBuilder(schema)
            .set("airline", null).set("reference", "X7K2QD").set("passenger", passenger).set("gate", "B7")
            .set("flight", 49).set("departsAt", 1800003600000L).build();
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> files = Map.of("ours", "../../../../schemas/invocation-event.avsc", "booking", "booking.avsc");
        for (String event : new String[] {"ours", "booking"}) {
            Schema schema = new Schema.Parser().parse(new File(args[0], files.get(event)));
            GenericRecord fields = event.equals("ours") ? ours(schema) : booking(schema);

            ByteArrayOutputStream out = new ByteArrayOutputStream();
            BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
            new GenericDatumWriter<GenericRecord>(schema).write(fields, encoder);
            encoder.flush();
            byte[] bare = out.toByteArray();
            say("Java, Apache Avro 1.12.1", event, "bare", bare, new RecordHeaders());
            ByteBuffer single = new BinaryMessageEncoder<GenericRecord>(new GenericData(), schema).encode(fields);
            byte[] value = new byte[single.remaining()];
            single.get(value);
            say("Java, Apache Avro 1.12.1", event, "single object", value, new RecordHeaders());

            for (String compression : new String[] {"NONE", "ZLIB"}) {
                GlueSchemaRegistryConfiguration glue =
                    new GlueSchemaRegistryConfiguration(Map.of("region", "us-east-1", "compression", compression));
                say("Java, AWS Glue 1.1.25", event, "AWS Glue, " + compression,
                    new SerializationDataEncoder(glue).write(bare, GLUE.get(event)), new RecordHeaders());
            }

            Map<String, Map<String, Object>> ways = new java.util.LinkedHashMap<>();
            ways.put("Apicurio, global id in a header", Map.of());
            ways.put("Apicurio, content id in a header", Map.of("apicurio.registry.use-id", "contentId"));
            ways.put("Apicurio, global id of 8 bytes", Map.of("apicurio.registry.headers.enabled", false));
            ways.put("Apicurio, content id of 8 bytes",
                Map.of("apicurio.registry.headers.enabled", false, "apicurio.registry.use-id", "contentId"));
            ways.put("Confluent, id", Map.of("apicurio.registry.headers.enabled", false,
                "apicurio.registry.as-confluent", true, "apicurio.registry.use-id", "contentId"));
            for (Map.Entry<String, Map<String, Object>> way : ways.entrySet()) {
                Map<String, Object> config = new HashMap<>(way.getValue());
                config.put("apicurio.registry.url", args[1]);
                config.put("apicurio.registry.auto-register", true);
                config.put("apicurio.registry.headers.enabled", config.getOrDefault("apicurio.registry.headers.enabled", true));
                try (AvroKafkaSerializer<GenericRecord> serializer = new AvroKafkaSerializer<>()) {
                    serializer.configure(config, false);
                    RecordHeaders headers = new RecordHeaders();
                    byte[] written = serializer.serialize("java-" + event, headers, fields);
                    say("Java, Apicurio 2.6.13.Final", event, way.getKey(), written, headers);
                }
            }
        }
    }
}
