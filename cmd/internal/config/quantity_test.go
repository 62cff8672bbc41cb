package config

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// alone reads one option of a file by itself.
func alone(name, value string) (*Config, error) {
	r := &resolver{Config: defaults(), list: ini.New(ini.OS(nil), Options), world: ini.OS(nil), told: map[string]bool{}}
	err := r.apply(Options.Lookup(name), ini.Entry{Key: name, Value: value, HasValue: true, Origin: ini.Origin{File: "app.ini", Line: 7}})
	return r.Config, err
}

// numbers are all options that take a number.
func numbers(t *testing.T, each func(t *testing.T, o *option.Option)) {
	seen := 0
	for _, o := range Options.Rows() {
		switch o.Kind {
		case option.Int, option.Plain, option.Percent, option.Size, option.Megabytes, option.Seconds, option.Fraction:
			seen++
			t.Run(o.Name, func(t *testing.T) { each(t, o) })
		}
	}
	if seen < 40 {
		t.Errorf("%d options take a number", seen)
	}
}

func TestNumbersWithUnits(t *testing.T) {
	comments := map[string]string{ // how it is written: what it means
		"4 ; workers": "4", "4;workers": "4", "4 # workers": "4", "4#": "4", "4 // workers": "4", "4// workers": "4",
		"4 -- workers": "4", "4 - workers": "4", "4 (workers)": "4", " \t4\t; x": "4", "+4": "4", "004": "4", "0": "0", "4 ;": "4",
	}
	byKind := map[option.Kind]map[string]string{
		option.Int: {"1k": "1000", "2K": "2000", "1k ; thousand": "1000", "1 k": "1000", "1k#": "1000"},
		option.Seconds: {
			"90s": "90", "5m": "300", "5 m": "300", "5min": "300", "5 minutes": "300", "5 Minutes ; long": "300", "1h": "3600", "2d": "172800",
			"1w": "604800", "1h30m": "5400", "1h 30m": "5400", "1d1s": "86401", "30 seconds": "30", "30 sec # x": "30", "3000ms": "3", "1 hour": "3600",
		},
		option.Size: {
			"64k": "65536", "64K": "65536", "64kb": "65536", "64 KB": "65536", "64KiB": "65536", "1m": "1048576", "1M": "1048576", "1MB": "1048576",
			"1MiB": "1048576", "1 MiB ; x": "1048576", "1g": "1073741824", "1GiB": "1073741824", "65536b": "65536", "65536 bytes": "65536",
		},
		option.Megabytes: {
			"512M": "512", "512MB": "512", "512 MiB": "512", "2G": "2048", "2GiB": "2048", "1T": "1048576", "1024k": "1", "2097152 bytes": "2", "3m": "3",
		},
		option.Percent:  {"50%": "50", "50 % ; half": "50"},
		option.Fraction: {"500ms": "0.5", "1.5s": "1.5", "2m": "120", "2 m": "120", "0.5 ; x": "0.5", ".25": "0.25", "90s": "90"},
	}
	numbers(t, func(t *testing.T, o *option.Option) {
		same := func(written, meant string) {
			t.Helper()
			got, err := alone(o.Name, written)
			want, wantErr := alone(o.Name, meant)
			if wantErr != nil && strings.Contains(wantErr.Error(), "too large") {
				if err == nil || !strings.Contains(err.Error(), "too large") {
					t.Errorf("%q: %v, want it to be too large as %s is", written, err, meant)
				}
				return // such as 172,800 workers
			}
			if err != nil || wantErr != nil {
				t.Errorf("%q, which is %s: %v, %v", written, meant, err, wantErr)
				return
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Config{}, "Warnings", "Entries"), cmpopts.IgnoreUnexported(worker.Cheaper{}), samePattern); diff != "" {
				t.Errorf("%q is not %s:\n%s", written, meant, diff)
			}
		}
		for written, meant := range comments {
			same(written, meant)
		}
		for written, meant := range byKind[o.Kind] {
			same(written, meant)
		}
	})
}

func TestNumbersThatAreRefused(t *testing.T) {
	always := []string{
		"x", "four", "-1", "-1k", "- 1", "1.5.5", "1,5", "1_000", "1'000", "1e3", "1E3", "1e-3", "0x10", "0b1", "0o7", "1 000", "4 workers",
		"4x", "4 x", "5 apples", "4 5", "4/2", "4*2", "4 * 2", "4+2", "4 + 2", `"4"`, "%(none)", "٤", "4٤", "4é", "4 k k",
		"99999999999999999999999", "9223372036854775807", "9223372036854775807k", "9223372036854775808", "1k5", "--1", "1-", "5mm", "1kk",
	}
	byKind := map[option.Kind][]string{
		option.Int:       {"64kb", "64KiB", "5s", "5min", "5h", "50%", "0.5", "1.", "1k2k", "1M1k"},
		option.Plain:     {"1k", "1K", "1M", "5s", "50%", "0.5"},
		option.Percent:   {"50k", "0.5", "5s", "50%%"},
		option.Size:      {"5s", "5min", "1.5M", "50%", "0.5", "1k1k", "1KK", "5h"},
		option.Megabytes: {"5s", "1.5G", "1k", "1000000 bytes", "50%", "1500k"},
		option.Seconds:   {"5M", "5k", "5kb", "0.5", "1.5h", "500ms", "50%", "1h30", "1h1h", "1m1h", "5s5s", "1h 60m 1m", "30s1m", "1h1hr", "5S", "-5m", "4611686018427387904s 9223372036854775807s", "76861433640456465m 9223372036854775807s", "1000000000s1s", "999999999s 2s", "1h-30m", "1h30m5", "1:30", "5y"},
		option.Fraction:  {"5M", "5k", "1.5.5", "1.x", "-0.5", "50%", ".", "1.5e9", "ms"},
	}
	numbers(t, func(t *testing.T, o *option.Option) {
		for _, value := range append(always, byKind[o.Kind]...) {
			c, err := alone(o.Name, value)
			if err == nil {
				t.Errorf("%q is taken: %+v", value, c)
				continue
			}
			if !strings.HasPrefix(err.Error(), "app.ini:7: "+o.Name+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %v", value, err)
			}
		}
	})
}

// TestNumbersLeftAlone has values that uWSGI reads as 0 and that nobody means as a number.
func TestNumbersLeftAlone(t *testing.T) {
	for value, why := range map[string]string{
		"$(NO_SUCH_VARIABLE)": "the environment has no such variable", "": "is no number", " ": "is no number",
		"true": "is a word", "off": "is a word", "None ; x": "is a word", "false;": "is a word",
	} {
		t.Run(value, func(t *testing.T) {
			numbers(t, func(t *testing.T, o *option.Option) {
				switch o.Name {
				case "http-keepalive", "post-buffering", "cheaper", "memory-report":
					if !strings.HasPrefix(value, "$") {
						return // they take words
					}
				}
				list := ini.New(ini.OS(nil), Options)
				r := &resolver{Config: defaults(), list: list, world: ini.OS(nil), told: map[string]bool{}}
				if err := r.apply(o, ini.Entry{Key: o.Name, Value: value, HasValue: true}); err != nil {
					t.Fatal(err)
				}
				if len(list.Warnings) != 1 || !strings.Contains(list.Warnings[0], o.Name) || !strings.Contains(list.Warnings[0], why) {
					t.Errorf("warnings: %q", list.Warnings)
				}
			})
		})
	}
}

func TestNumbersOnTheCommandLineAndInTheEnvironment(t *testing.T) {
	enter(t, nil)
	numbers(t, func(t *testing.T, o *option.Option) {
		variable := "UWSGI_" + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
		for _, tt := range []struct {
			args, env []string
			where     string
		}{
			{args: []string{"--" + o.Name + "=5 apples"}, where: "--" + o.Name + ": "},
			{env: []string{variable + "=5 apples"}, where: variable + ": "},
		} {
			if _, err := load(tt.args, tt.env); err == nil || !strings.HasPrefix(err.Error(), tt.where) {
				t.Errorf("%q %q: %v", tt.args, tt.env, err)
			}
		}
	})
}

func TestFlags(t *testing.T) {
	for _, o := range Options.Rows() {
		if o.Kind != option.Flag {
			continue
		}
		t.Run(o.Name, func(t *testing.T) {
			on, err := alone(o.Name, "true")
			if err != nil {
				t.Fatal(err)
			}
			off, err := alone(o.Name, "false")
			if err != nil {
				t.Fatal(err)
			}
			show := func(c *Config) string {
				return regexp.MustCompile(`0x[0-9a-f]+`).ReplaceAllString(fmt.Sprintf("%+v", *c), "")
			}
			for value, want := range map[string]*Config{
				"": on, "1": on, "2": on, "on": on, "Yes": on, "TRUE": on, "true ; really": on, "true # x": on, "true;": on, "y": on, "enabled": on,
				"'true'": on, "Ture": on, "shop.example": on, "$(NO_SUCH_VARIABLE)": on, // as in uWSGI, with a warning
				"0": off, "no": off, "OFF": off, "False": off, "false ; x": on, // as in uWSGI, with a warning
			} {
				if got, err := alone(o.Name, value); err != nil || show(got) != show(want) {
					t.Errorf("%q: %v, %s\nwant %s", value, err, show(got), show(want))
				}
			}
			for _, value := range []string{"flase", "n", "none", "never", "disabled", "nope", "-1", "%(none)", "'false'"} {
				if _, err := alone(o.Name, value); err == nil || !strings.HasPrefix(err.Error(), "app.ini:7: "+o.Name+": ") {
					t.Errorf("%q: %v, want it refused", value, err)
				}
			}
		})
	}
}
