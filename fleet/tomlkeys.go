package fleet

import (
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlKeys holds the keys of a TOML document in the order in which they were
// first mentioned, which decoding into a map loses, and the line of each.
type tomlKeys struct {
	paths [][]string
	lines map[string]int
}

// locate finds every key of a document that has already been decoded without
// an error.
func locate(data []byte) *tomlKeys {
	k := &tomlKeys{lines: map[string]int{}}
	var p unstable.Parser
	p.Reset(data)
	var table []string
	for p.NextExpression() {
		e := p.Expression()
		var path []string
		if e.Kind == unstable.KeyValue {
			path = slices.Clone(table)
		}
		line := 0
		for it := e.Key(); it.Next(); {
			path = append(path, string(it.Node().Data))
			line = p.Shape(it.Node().Raw).Start.Line
			k.add(path, line)
		}
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = path
		case unstable.KeyValue:
			k.addInline(&p, path, e.Value())
		}
	}
	return k
}

func (k *tomlKeys) addInline(p *unstable.Parser, base []string, value *unstable.Node) {
	if value.Kind != unstable.InlineTable {
		return
	}
	for it := value.Children(); it.Next(); {
		kv := it.Node()
		path := slices.Clone(base)
		for key := kv.Key(); key.Next(); {
			path = append(path, string(key.Node().Data))
			k.add(path, p.Shape(key.Node().Raw).Start.Line)
		}
		k.addInline(p, path, kv.Value())
	}
}

func (k *tomlKeys) add(path []string, line int) {
	id := strings.Join(path, "\x00")
	if _, known := k.lines[id]; known {
		return
	}
	k.lines[id] = line
	k.paths = append(k.paths, slices.Clone(path))
}

// line is where a key is, or 0 if the document does not have it.
func (k *tomlKeys) line(path ...string) int { return k.lines[strings.Join(path, "\x00")] }

// nearest is the longest part of path that the document has.
func (k *tomlKeys) nearest(path ...string) []string {
	for len(path) > 0 && k.line(path...) == 0 {
		path = path[:len(path)-1]
	}
	return path
}

// children are the keys directly below path, in order.
func (k *tomlKeys) children(path ...string) []string {
	var names []string
	for _, p := range k.paths {
		if len(p) == len(path)+1 && slices.Equal(p[:len(path)], path) {
			names = append(names, p[len(path)])
		}
	}
	return names
}

// firstUnknown cuts a key after its first part that is not known.
func firstUnknown(key []string) []string {
	for i := range key {
		if known := knownKeys(key[:i+1]); known != nil && !slices.Contains(known, key[i]) {
			return key[:i+1]
		}
	}
	return key
}

// knownKeys are the keys that would have been valid in place of the last part
// of an unknown key.
func knownKeys(key []string) []string {
	t := typeOf(key[:len(key)-1])
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("toml"))
	}
	return names
}

// kindOf says, for people, what belongs to a key; "" if the key is not known.
func kindOf(key []string) string {
	t := typeOf(key)
	switch {
	case t == nil:
		return ""
	case t == reflect.TypeFor[duration]():
		return `a duration such as "10s" or "5m"`
	case t == reflect.TypeFor[size]():
		return `a size such as "512MiB" or "4GiB"`
	}
	switch t.Kind() {
	case reflect.String:
		return "text in quotes"
	case reflect.Int:
		return "a whole number"
	case reflect.Pointer:
		return "true or false"
	case reflect.Slice:
		return "a list of texts in quotes"
	case reflect.Map, reflect.Struct:
		return "a section"
	}
	return ""
}

// typeOf is the type of a key's value, nil if the key is not known.
func typeOf(key []string) reflect.Type {
	t := reflect.TypeFor[file]()
	for _, part := range key {
		if t.Kind() == reflect.Map {
			t = t.Elem()
			continue
		}
		if t.Kind() != reflect.Struct {
			return nil
		}
		i := 0
		for i < t.NumField() && t.Field(i).Tag.Get("toml") != part {
			i++
		}
		if i == t.NumField() {
			return nil
		}
		t = t.Field(i).Type
	}
	return t
}
