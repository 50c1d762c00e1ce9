package fleet

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// docs/inventory.md has a section for every section of the file and, in it, a
// row for every key, and no others.
func TestEveryKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "inventory.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	section := ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "## ["); ok {
			section, _, _ = strings.Cut(name, "]")
			section, _, _ = strings.Cut(section, ".")
		} else if strings.HasPrefix(line, "## ") {
			section = ""
		}
		if key, ok := strings.CutPrefix(line, "| `"); ok && section != "" {
			key, _, _ = strings.Cut(key, "`")
			documented[section+"."+key] = true
		}
	}
	f := reflect.TypeFor[file]()
	for i := range f.NumField() {
		section := f.Field(i).Tag.Get("toml")
		path := []string{section, "key"}
		if f.Field(i).Type.Kind() == reflect.Map {
			path = []string{section, "name", "key"}
		}
		for _, key := range knownKeys(path) {
			if !documented[section+"."+key] {
				t.Errorf("[%s] %s is not documented", section, key)
			}
			delete(documented, section+"."+key)
		}
	}
	for key := range documented {
		t.Errorf("%s is documented, but there is no such key", key)
	}
}
