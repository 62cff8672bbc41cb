package wsgi

import (
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/engine/worker"
)

func apps(prefixes ...string) []worker.App {
	var list []worker.App
	for _, p := range prefixes {
		list = append(list, worker.App{Mount: p, File: "app.py"})
	}
	return list
}

func TestChoose(t *testing.T) {
	shop := []string{"", "/shop", "/shop/admin", "/blog"}
	for _, tt := range []struct {
		name             string
		mounts           []string
		manage, strict   bool
		id, script, path string
		app              int
		wantScript       string
		wantPath         string
	}{
		{name: "one_app", mounts: []string{""}, path: "/a", app: 0, wantPath: "/a"},
		{name: "one_app_managed", mounts: []string{""}, manage: true, path: "/a", app: 0, wantPath: "/a"},
		{name: "root_is_default", mounts: []string{"/shop", "/"}, manage: true, path: "/a", app: 1, wantPath: "/a"},

		{name: "default_before_root", mounts: []string{"", "/"}, path: "/a", app: 0, wantPath: "/a"},
		{name: "default_before_root_managed", mounts: []string{"", "/", "/shop"}, manage: true, path: "/a", app: 0, wantPath: "/a"},
		{name: "shop_beside_default_and_root", mounts: []string{"", "/", "/shop"}, manage: true, path: "/shop/a", app: 2, wantScript: "/shop", wantPath: "/a"},
		{name: "default_before_root_appid", mounts: []string{"", "/"}, id: "/", path: "/a", app: 0, wantPath: "/a"},

		{name: "managed_default", mounts: shop, manage: true, path: "/", app: 0, wantPath: "/"},
		{name: "managed_whole_path", mounts: shop, manage: true, path: "/shop", app: 1, wantScript: "/shop", wantPath: ""},
		{name: "managed_slash_after", mounts: shop, manage: true, path: "/shop/", app: 1, wantScript: "/shop", wantPath: "/"},
		{name: "managed_two_slashes_after", mounts: shop, manage: true, path: "/shop//x", app: 1, wantScript: "/shop", wantPath: "//x"},
		{name: "managed_longest", mounts: shop, manage: true, path: "/shop/admin/x", app: 2, wantScript: "/shop/admin", wantPath: "/x"},
		{name: "managed_longest_given_first", mounts: []string{"/a/b", "/a"}, manage: true, path: "/a/b", app: 0, wantScript: "/a/b"},
		{name: "managed_segments", mounts: shop, manage: true, path: "/shopping", app: 0, wantPath: "/shopping"},
		{name: "managed_inner_segments", mounts: shop, manage: true, path: "/shop/adminx", app: 1, wantScript: "/shop", wantPath: "/adminx"},
		{name: "managed_case_matters", mounts: shop, manage: true, path: "/Shop", app: 0, wantPath: "/Shop"},
		{name: "managed_mount_given_with_slash", mounts: []string{"/shop/"}, manage: true, path: "/shop/x", app: 0, wantScript: "/shop", wantPath: "/x"},
		{name: "managed_no_default", mounts: []string{"/shop"}, manage: true, path: "/shopping", app: noApp},
		{name: "managed_empty_path", mounts: []string{"/shop"}, manage: true, path: "", app: noApp},
		{name: "managed_path_before_script", mounts: shop, manage: true, script: "/blog", path: "/shop/x", app: 1, wantScript: "/shop", wantPath: "/x"},
		{name: "managed_script_where_no_path", mounts: shop, manage: true, script: "/blog", path: "/x", app: 3, wantScript: "/blog", wantPath: "/x"},
		{name: "managed_script_of_another_path", mounts: shop, manage: true, script: "/shop", path: "/shopping", app: 0, wantScript: "/shop", wantPath: "/shopping"},

		{name: "script", mounts: shop, script: "/shop", path: "/x", app: 1, wantScript: "/shop", wantPath: "/x"},
		{name: "script_trailing_slash", mounts: shop, script: "/shop/", path: "/x", app: 1, wantScript: "/shop/", wantPath: "/x"},
		{name: "script_exact", mounts: shop, script: "/shop/cart", path: "/x", app: 0, wantScript: "/shop/cart", wantPath: "/x"},
		{name: "script_root", mounts: []string{"/shop", "/"}, script: "/", path: "/x", app: 1, wantScript: "/", wantPath: "/x"},
		{name: "path_unmanaged", mounts: shop, path: "/shop/x", app: 0, wantPath: "/shop/x"},
		{name: "first_is_default_unmanaged", mounts: []string{"/shop", "/blog"}, path: "/blog", app: 0, wantPath: "/blog"},

		{name: "strict_known", mounts: shop, strict: true, script: "/shop", path: "/x", app: 1, wantScript: "/shop", wantPath: "/x"},
		{name: "strict_unknown", mounts: shop, strict: true, script: "/none", path: "/x", app: noApp},
		{name: "strict_without_script", mounts: shop, strict: true, path: "/x", app: 0, wantPath: "/x"},
		{name: "strict_without_default", mounts: []string{"/shop"}, strict: true, path: "/x", app: noApp},
		{name: "strict_managed", mounts: shop, manage: true, strict: true, script: "/none", path: "/shop/x", app: 1, wantScript: "/shop", wantPath: "/x"},
		{name: "strict_managed_unknown", mounts: shop, manage: true, strict: true, script: "/none", path: "/x", app: noApp},

		{name: "appid", mounts: shop, id: "/blog", script: "/shop", path: "/x", app: 3, wantScript: "/shop", wantPath: "/x"},
		{name: "appid_unknown", mounts: shop, id: "/none", script: "/shop", path: "/x", app: 1, wantScript: "/shop", wantPath: "/x"},
		{name: "appid_before_path", mounts: shop, manage: true, id: "/blog", path: "/shop", app: 3, wantPath: "/shop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := newMounts(apps(tt.mounts...), Options{ManageScriptName: tt.manage, NoDefaultApp: tt.strict})
			if err != nil {
				t.Fatal(err)
			}
			app, script, path := m.choose([]byte(tt.id), []byte(tt.script), []byte(tt.path))
			if app != tt.app {
				t.Fatalf("app %d, want %d", app, tt.app)
			}
			if app != noApp && (string(script) != tt.wantScript || string(path) != tt.wantPath) {
				t.Errorf("SCRIPT_NAME %q, PATH_INFO %q; want %q, %q", script, path, tt.wantScript, tt.wantPath)
			}
		})
	}
}

func TestMountErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mounts []string
		want   string
	}{
		{"two_equal", []string{"/a", "/b", "/a"}, "mountpoint /a is taken already"},
		{"two_equal_but_for_the_slash", []string{"/a", "/a/"}, "mountpoint /a is taken already"},
		{"two_defaults", []string{"", ""}, "there is a default app already"},
		{"two_at_the_root", []string{"/", "/"}, "there is a default app already"},
		{"no_slash", []string{"a"}, `mountpoint "a" must begin with a slash: /a`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := newMounts(apps(tt.mounts...), Options{ManageScriptName: true}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
