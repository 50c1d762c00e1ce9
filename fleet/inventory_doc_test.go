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
		} else if strings.HasPrefix(line, "## ") {
			section = ""
		}
		if key, ok := strings.CutPrefix(line, "| `"); ok && section != "" {
			key, _, _ = strings.Cut(key, "`")
			documented[section+"."+key] = true
		}
	}
	for _, key := range everyKey(reflect.TypeFor[file](), "") {
		if !documented[key] {
			t.Errorf("%s is not documented", key)
		}
		delete(documented, key)
	}
	for key := range documented {
		t.Errorf("%s is documented, but there is no such key", key)
	}
}

// everyKey lists the keys of a section and of those below it; NAME stands for a
// name of the user's choice.
func everyKey(t reflect.Type, section string) []string {
	switch t.Kind() {
	case reflect.Map:
		return everyKey(t.Elem(), section+".NAME")
	case reflect.Struct:
		var keys []string
		for i := range t.NumField() {
			keys = append(keys, everyKey(t.Field(i).Type, strings.TrimPrefix(section+"."+t.Field(i).Tag.Get("toml"), "."))...)
		}
		return keys
	}
	return []string{section}
}
