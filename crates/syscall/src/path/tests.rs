//! Path resolution against sysroots in temporary directories.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

/// A sysroot and a directory of the host, removed at the end.
struct Scene {
    base: PathBuf,
    sysroot: Sysroot,
}

impl Scene {
    fn new(name: &str) -> Self {
        let base = std::env::temp_dir().join(format!("rvrun-path-{}-{name}", std::process::id()));
        fs::create_dir_all(base.join("root/usr/bin")).unwrap();
        fs::create_dir_all(base.join("root/etc/alternatives")).unwrap();
        fs::create_dir_all(base.join("host")).unwrap();
        let base = base.canonicalize().unwrap();
        let sysroot = Sysroot::new(&base.join("root"));
        Self { base, sysroot }
    }

    fn file(&self, path: &str) -> &Self {
        let path = self.base.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        self
    }

    fn link(&self, target: &str, path: &str) -> &Self {
        symlink(target, self.base.join(path)).unwrap();
        self
    }

    /// Where a path leads: `root/…` or `host/…` below the scene, or the host's own path.
    fn resolve(&self, path: &str, intent: Intent) -> String {
        let host = self.sysroot.resolve(path.as_bytes(), intent).unwrap();
        let host =
            host.unwrap_or_else(|| PathBuf::from(path)).into_os_string().into_string().unwrap();
        host.strip_prefix(&format!("{}/", self.base.display())).unwrap_or(&host).to_string()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.base).unwrap();
    }
}

#[test]
fn a_whole_system_has_its_directories_for_itself() {
    let scene = Scene::new("whole");
    let path = "/usr/share/doc";
    assert!(Path::new(path).exists());
    assert_eq!(scene.resolve(path, Intent::Follow), path);
    fs::create_dir_all(scene.base.join("root/usr/lib")).unwrap();
    let sysroot = Sysroot::new(&scene.base.join("root"));
    let resolved = |path: &str| sysroot.resolve(path.as_bytes(), Intent::Follow).unwrap();
    for path in [path, "/usr/share"] {
        assert_eq!(resolved(path), Some(scene.base.join("root").join(&path[1..])));
    }
    // A file whose directory is there may be the host's.
    assert_eq!(resolved("/usr/bin/env"), None);
    fs::create_dir_all(scene.base.join("root/usr/share")).unwrap();
    assert_eq!(resolved("/usr/share"), Some(scene.base.join("root/usr/share")));
    assert_eq!(resolved("/etc/hostname"), None);
}

#[test]
fn the_sysroot_comes_first_then_the_host() {
    let scene = Scene::new("first");
    scene.file("root/usr/bin/awk-only-here").file("root/etc/passwd");
    assert_eq!(
        scene.resolve("/usr/bin/awk-only-here", Intent::Follow),
        "root/usr/bin/awk-only-here"
    );
    assert_eq!(
        scene.resolve("//usr/./bin/../bin//awk-only-here", Intent::Follow),
        "root/usr/bin/awk-only-here"
    );
    assert_eq!(scene.resolve("/etc/passwd", Intent::Follow), "root/etc/passwd");
    assert_eq!(scene.resolve("/etc/hostname-of-host", Intent::Follow), "/etc/hostname-of-host");
    assert_eq!(scene.resolve("/usr/bin", Intent::Follow), "root/usr/bin");
    assert_eq!(scene.resolve("/usr/bin/", Intent::Follow), "root/usr/bin/");
}

#[test]
fn kernel_directories_and_the_root_are_the_hosts() {
    let scene = Scene::new("kernel");
    scene.file("root/dev/null").file("root/tmp/x").file("root/proc/self/x");
    for path in ["/", "/dev/null", "/tmp/x", "/tmp", "/proc/self/x", "/usr/../tmp/x"] {
        assert!(scene.resolve(path, Intent::Follow).starts_with('/'), "{path}");
    }
    assert_eq!(scene.resolve("/usr/../tmp/x", Intent::Follow), "/tmp/x");
    assert_eq!(scene.resolve("/../..", Intent::Follow), "/");
}

#[test]
fn links_stay_inside() {
    let scene = Scene::new("links");
    scene
        .file("root/usr/bin/gawk")
        .link("/etc/alternatives/awk", "root/usr/bin/awk")
        .link("../../usr/bin/gawk", "root/etc/alternatives/awk")
        .link("usr/bin", "root/bin");
    assert_eq!(scene.resolve("/usr/bin/awk", Intent::Follow), "root/usr/bin/gawk");
    assert_eq!(scene.resolve("/bin/awk", Intent::Follow), "root/usr/bin/gawk");
    assert_eq!(scene.resolve("/bin/awk", Intent::NoFollow), "root/usr/bin/awk");
    assert_eq!(scene.resolve("/bin", Intent::NoFollow), "root/bin");
    assert_eq!(
        scene.resolve("/bin/../etc/alternatives/awk", Intent::NoFollow),
        "/usr/etc/alternatives/awk"
    );
}

#[test]
fn links_out_of_the_sysroot_lead_to_the_host() {
    let scene = Scene::new("out");
    scene.file("host/data");
    let host = scene.base.join("host").into_os_string().into_string().unwrap();
    scene.link(&host, "root/usr/data");
    assert_eq!(scene.resolve("/usr/data/data", Intent::Follow), "host/data");
    scene.link("/usr/nowhere", "root/usr/dangling");
    assert_eq!(scene.resolve("/usr/dangling", Intent::Follow), "/usr/nowhere");
}

#[test]
fn loops_end() {
    let scene = Scene::new("loop");
    scene.link("b", "root/usr/a").link("/usr/a", "root/usr/b");
    let result = scene.sysroot.resolve(b"/usr/a", Intent::Follow);
    assert_eq!(result.unwrap_err(), Errno(libc::ELOOP));
    assert_eq!(scene.resolve("/usr/a", Intent::NoFollow), "root/usr/a");
}

#[test]
fn new_files_go_where_their_directory_is() {
    let scene = Scene::new("create");
    scene.file("root/etc/passwd").file("root/only-here/x");
    assert_eq!(scene.resolve("/etc/rvrun-new", Intent::Create), "root/etc/rvrun-new");
    assert_eq!(scene.resolve("/only-here/new", Intent::CreateFollow), "root/only-here/new");
    assert_eq!(scene.resolve("/nowhere/new", Intent::Create), "/nowhere/new");
    assert_eq!(scene.resolve("/rvrun-new", Intent::Create), "/rvrun-new");
    assert_eq!(scene.resolve("/tmp/new", Intent::Create), "/tmp/new");
    // What the host has already is not made a second time.
    assert_eq!(scene.resolve("/etc/hosts", Intent::Create), "/etc/hosts");
    assert_eq!(scene.resolve("/etc/hosts", Intent::Replace), "root/etc/hosts");
}

#[test]
fn empty_directories_are_mount_points() {
    let scene = Scene::new("mount");
    fs::create_dir_all(scene.base.join("root/var/tmp")).unwrap();
    fs::create_dir_all(scene.base.join("root/only-here")).unwrap();
    assert_eq!(scene.resolve("/var/tmp", Intent::Follow), "/var/tmp");
    assert_eq!(scene.resolve("/var/tmp/new", Intent::Create), "/var/tmp/new");
    assert_eq!(scene.resolve("/only-here", Intent::Follow), "root/only-here");
    assert_eq!(scene.resolve("/only-here/new", Intent::Create), "root/only-here/new");
}

#[test]
fn the_guests_view_has_no_sysroot() {
    let scene = Scene::new("strip");
    let root = scene.base.join("root").into_os_string().into_vec();
    let strip = |rest: &str| {
        let mut path = root.clone();
        path.extend_from_slice(rest.as_bytes());
        scene.sysroot.strip(&path).map(|path| String::from_utf8(path.to_vec()).unwrap())
    };
    assert_eq!(strip("").as_deref(), Some("/"));
    assert_eq!(strip("/usr").as_deref(), Some("/usr"));
    assert_eq!(strip("2/usr"), None);
}

#[test]
fn an_empty_directory_that_the_host_has_too_keeps_the_hosts_name() {
    let scene = Scene::new("holds");
    let on_host = scene.base.join("host");
    let shadow = scene.base.join("root").join(on_host.strip_prefix("/").unwrap());
    fs::create_dir_all(&shadow).unwrap();
    let shadow_name = shadow.as_os_str().as_bytes();
    assert!(!scene.sysroot.holds_directory(shadow_name));
    assert!(!scene.sysroot.holds_directory(on_host.as_os_str().as_bytes()));
    fs::write(shadow.join("file"), "").unwrap();
    assert!(scene.sysroot.holds_directory(shadow_name));
    assert!(scene.sysroot.holds_directory(scene.base.join("root/etc").as_os_str().as_bytes()));
}
