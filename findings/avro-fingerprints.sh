#!/usr/bin/env bash
# Five Avro libraries, four fingerprints of one schema.
#
# Avro's single-object encoding names the schema by CRC-64-AVRO of its "parsing canonical form", which has no attributes.
# For a record whose fields are longs with timestamp-millis (pinned: Java avro 1.12.1, fastavro 1.13.1, Apache's Python avro
# 1.12.2, Rust's apache-avro 0.22.0, goavro 2.15.0, hamba/avro 2.31.0), seen on 2026-11-30:
#
#   Java, fastavro              85077321b54a6aa6   {"type":"long",...} becomes "long", as the specification says
#   Python avro, Rust, goavro   d68a64d892c870d0   it becomes {"type":"long"}
#   hamba soe                   225ccad99bcfbb93   it stays {"type":"long","logicalType":"timestamp-millis"}
#   hamba CRC64Avro             93bbcf9bd9ca5c22   the same, its bytes in the other order
#
# So a frame of one library is of an unknown schema to another one. Prints each, and exits with 1 when one has changed.
# Needs python3, go, cargo, a JDK and maven. Usage: findings/avro-fingerprints.sh [SCHEMA]
set -euo pipefail
schema=$(realpath "${1:-$(dirname "$0")/../schemas/invocation-event.avsc}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv py
py/bin/pip -q install avro==1.12.2 fastavro==1.13.1
py/bin/python - "$schema" >found <<'PY'
import json, sys
import avro.schema, fastavro.schema
text = open(sys.argv[1]).read()
form = fastavro.schema.to_parsing_canonical_form(json.loads(text))
print("fastavro", fastavro.schema.fingerprint(form, "CRC-64-AVRO"))
print("python", avro.schema.parse(text).fingerprint("CRC-64-AVRO").hex())
PY

mkdir go && cd go
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/soe"
	"github.com/linkedin/goavro/v2"
)

func main() {
	text, _ := os.ReadFile(os.Args[1])
	codec, err := goavro.NewCodec(string(text))
	if err != nil {
		panic(err)
	}
	event := map[string]interface{}{"eventId": "e", "serviceId": "s", "phoneNumber": "12515550123",
		"mobileOperatorId": nil, "variables": map[string]interface{}{}, "createdAt": nil, "expiresAt": nil}
	framed, err := codec.SingleFromNative(nil, event)
	if err != nil {
		panic(err)
	}
	fmt.Printf("goavro %x\n", framed[2:10])
	schema := avro.MustParse(string(text))
	first, _ := soe.ComputeFingerprint(schema)
	fmt.Printf("hamba-soe %x\n", first)
	other, _ := schema.FingerprintUsing(avro.CRC64Avro)
	fmt.Printf("hamba-crc64avro %x\n", other)
}
GO
go mod init fingerprints >/dev/null 2>&1
go get github.com/hamba/avro/v2@v2.31.0 github.com/linkedin/goavro/v2@v2.15.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go run . "$schema" >>../found
cd ..

mkdir -p rust/src && cd rust
cat >Cargo.toml <<'TOML'
[package]
name = "fingerprints"
version = "0.1.0"
edition = "2021"
[dependencies]
apache-avro = "=0.22.0"
TOML
cat >src/main.rs <<'RS'
use apache_avro::{rabin::Rabin, Schema};
fn main() {
    let text = std::fs::read_to_string(std::env::args().nth(1).unwrap()).unwrap();
    println!("rust {}", Schema::parse_str(&text).unwrap().fingerprint::<Rabin>());
}
RS
cargo run --quiet -- "$schema" >>../found
cd ..

mkdir java && cd java
cat >pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies><dependency>
<groupId>org.apache.avro</groupId><artifactId>avro</artifactId><version>1.12.1</version></dependency></dependencies></project>
XML
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib >/dev/null
cat >Main.java <<'JAVA'
import java.io.File;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;

public class Main {
    public static void main(String[] args) throws Exception {
        Schema schema = new Schema.Parser().parse(new File(args[0]));
        StringBuilder out = new StringBuilder("java ");
        for (byte one : SchemaNormalization.parsingFingerprint("CRC-64-AVRO", schema)) out.append(String.format("%02x", one));
        System.out.println(out);
    }
}
JAVA
javac -cp 'lib/*' Main.java
java -cp 'lib/*:.' Main "$schema" 2>/dev/null >>../found
cd ..

cat found
diff <(sort found) - <<'SEEN'
fastavro 85077321b54a6aa6
goavro d68a64d892c870d0
hamba-crc64avro 93bbcf9bd9ca5c22
hamba-soe 225ccad99bcfbb93
java 85077321b54a6aa6
python d68a64d892c870d0
rust d68a64d892c870d0
SEEN
