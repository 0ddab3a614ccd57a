// Events as Go's libraries write them. Usage: go run . FOLDER.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	hamba "github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/soe"
	twmb "github.com/twmb/avro"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func version(path string) string {
	info, _ := debug.ReadBuildInfo()
	for _, each := range info.Deps {
		if each.Path == path {
			return each.Version
		}
	}
	return ""
}

func say(by, event, framing string, value []byte) {
	line := map[string]any{"by": by, "event": event, "framing": framing, "value": hex.EncodeToString(value), "headers": map[string]string{}}
	fmt.Println(string(must(json.Marshal(line))))
}

// JSON's numbers are doubles in Go; Avro's longs and ints are not.
func numbers(value any) any {
	switch given := value.(type) {
	case float64:
		if given == float64(int64(given)) {
			return int64(given)
		}
	case map[string]any:
		for name, inner := range given {
			given[name] = numbers(inner)
		}
	}
	return value
}

func main() {
	folder := os.Args[1]
	files := map[string]string{"ours": "../../../../schemas/invocation-event.avsc", "booking": "booking.avsc"}
	var events map[string]map[string]any
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(folder, "events.json"))), &events); err != nil {
		panic(err)
	}
	for _, event := range []string{"ours", "booking"} {
		fields := numbers(events[event]).(map[string]any)
		// hamba takes no number for a timestamp-millis in a union.
		for _, name := range []string{"createdAt", "expiresAt", "departsAt"} {
			if ms, ok := fields[name].(int64); ok {
				fields[name] = time.UnixMilli(ms).UTC()
			}
		}
		if event == "booking" {
			fields["flight"] = int(fields["flight"].(int64))
		}
		text := string(must(os.ReadFile(filepath.Join(folder, files[event]))))

		schema := hamba.MustParse(text)
		name := "Go, hamba/avro " + version("github.com/hamba/avro/v2")
		say(name, event, "bare", must(hamba.Marshal(schema, fields)))
		codec := must(soe.NewCodec(schema))
		say(name, event, "single object", must(codec.Encode(fields)))

		other := must(twmb.Parse(text))
		name = "Go, twmb/avro " + version("github.com/twmb/avro")
		say(name, event, "bare", must(other.Encode(fields)))
		say(name, event, "single object", must(other.AppendSingleObject(nil, fields)))
	}
}
