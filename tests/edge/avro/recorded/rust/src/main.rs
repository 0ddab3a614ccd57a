// Events as Rust's apache-avro writes them. Usage: cargo run -- FOLDER.
use apache_avro::{types::Value, writer::datum::GenericDatumWriter, GenericSingleObjectWriter, Schema};
use std::{collections::HashMap, env, fs, path::Path};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn say(event: &str, framing: &str, value: &[u8]) {
    println!(
        "{}",
        serde_json::json!({"by": "Rust, apache-avro 0.22.0", "event": event, "framing": framing, "value": hex(value), "headers": {}})
    );
}

fn main() {
    let folder = env::args().nth(1).unwrap();
    let read = |file: &str| fs::read_to_string(Path::new(&folder).join(file)).unwrap();
    let events: HashMap<String, serde_json::Value> = serde_json::from_str(&read("events.json")).unwrap();
    for (event, file) in [("ours", "../../../../schemas/invocation-event.avsc"), ("booking", "booking.avsc")] {
        let schema = Schema::parse_str(&read(file)).unwrap();
        let value = Value::try_from(events[event].clone()).unwrap().resolve(&schema).unwrap();
        let bare = GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(value.clone()).unwrap();
        say(event, "bare", &bare);
        let mut out = Vec::new();
        GenericSingleObjectWriter::new_with_capacity(&schema, 1024).unwrap().write_value(value, &mut out).unwrap();
        say(event, "single object", &out);
    }
}
