//! Lets SQLite's own changes of the disk pass the points of [`crate::disk::fault`], where a fault is armed: tests only.
//!
//! The system's file layer of SQLite stays what it is. A copy of its table of functions takes its place as the default,
//! in which opening and removing files pass a point first; each file that is opened gets a copy of its own table likewise,
//! in which writing, flushing, cutting off and the shared memory's file do. All other functions are the system's.
//! The module must not know what SQLite writes.

#![expect(
    unsafe_code,
    reason = "SQLite's file layer is a table of C functions; nothing else reaches it"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rusqlite::ffi;

use crate::disk::fault::{self, Operation};

type Open = unsafe extern "C" fn(
    *mut ffi::sqlite3_vfs,
    *const c_char,
    *mut ffi::sqlite3_file,
    c_int,
    *mut c_int,
) -> c_int;
type Delete = unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *const c_char, c_int) -> c_int;

/// The system's own functions.
static SYSTEM: OnceLock<(Open, Delete)> = OnceLock::new();

/// What stands in for a file's table: its functions first, so that a pointer to it is one to the table.
#[repr(C)]
struct Watched {
    table: ffi::sqlite3_io_methods,
    system: *const ffi::sqlite3_io_methods,
    path: PathBuf,
}

/// Where a fault is armed, every connection that is opened from now on passes its points.
pub(super) fn watch() {
    if fault::is_armed() {
        SYSTEM.get_or_init(stand_in);
    }
}

#[expect(
    clippy::expect_used,
    reason = "SQLite has a file layer on every system that it is built for"
)]
fn stand_in() -> (Open, Delete) {
    // SAFETY: the table that is found lives as long as the process, and so does the copy. The copy keeps the system's
    // data and sizes, so that the system's functions find what they expect.
    unsafe {
        let found = ffi::sqlite3_vfs_find(std::ptr::null());
        let mut copy = *found.as_ref().expect("a default file layer");
        let system = copy.xOpen.zip(copy.xDelete).expect("a complete file layer");
        copy.zName = c"orchestrator-points".as_ptr();
        copy.pNext = std::ptr::null_mut();
        copy.xOpen = Some(open);
        copy.xDelete = Some(delete);
        ffi::sqlite3_vfs_register(Box::into_raw(Box::new(copy)), 1);
        system
    }
}

/// The path behind a name of SQLite's; empty for a file without a name.
unsafe fn path_of(name: *const c_char) -> PathBuf {
    if name.is_null() {
        return PathBuf::new();
    }
    // SAFETY: SQLite's names end with a zero.
    let name = unsafe { CStr::from_ptr(name) };
    PathBuf::from(name.to_string_lossy().into_owned())
}

/// SQLite's code for a fault: a full disk is told apart from others.
fn code(passed: io::Result<()>, other: c_int) -> Result<(), c_int> {
    passed.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull => ffi::SQLITE_FULL,
        _ => other,
    })
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: the arguments are SQLite's, and are handed on to the function that it meant. `file` has room for what that
    // one writes; only its table is exchanged, for one that lives as long as the process.
    unsafe {
        (*file).pMethods = std::ptr::null();
        let path = path_of(name);
        if flags & ffi::SQLITE_OPEN_CREATE != 0
            && !path.exists()
            && let Err(code) = code(fault::point(Operation::Create, &path), ffi::SQLITE_CANTOPEN)
        {
            return code;
        }
        let Some((open, _)) = SYSTEM.get() else {
            return ffi::SQLITE_CANTOPEN;
        };
        let answer = open(vfs, name, file, flags, out);
        let system = (*file).pMethods;
        if answer == ffi::SQLITE_OK && !system.is_null() {
            let table = ffi::sqlite3_io_methods {
                xWrite: Some(write),
                xSync: Some(sync),
                xTruncate: Some(truncate),
                xShmMap: (*system).xShmMap.map(|_| shm_map as _),
                xShmUnmap: (*system).xShmUnmap.map(|_| shm_unmap as _),
                ..*system
            };
            (*file).pMethods = Box::into_raw(Box::new(Watched { table, system, path })).cast();
        }
        answer
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let path = path_of(name);
        match (code(fault::point(Operation::Remove, &path), ffi::SQLITE_IOERR_DELETE), SYSTEM.get())
        {
            (Ok(()), Some((_, delete))) => delete(vfs, name, sync),
            (Err(code), _) => code,
            (Ok(()), None) => ffi::SQLITE_IOERR_DELETE,
        }
    }
}

/// What stands in for the table of `file`, which [`open`] has put there.
unsafe fn watched<'a>(file: *mut ffi::sqlite3_file) -> &'a Watched {
    // SAFETY: these functions are in no other table; what `open` made is never freed.
    unsafe { &*(*file).pMethods.cast::<Watched>() }
}

/// Passes a point and then calls the system's function; its absence is the error, too.
unsafe fn passed<F>(
    file: *mut ffi::sqlite3_file,
    operation: Operation,
    suffix: &str,
    error: c_int,
    system: impl FnOnce(&ffi::sqlite3_io_methods) -> Option<F>,
    call: impl FnOnce(F) -> c_int,
) -> c_int {
    // SAFETY: `system` points to the table that the system gave the file, which lives as long as the process.
    let (watched, table) = unsafe {
        let watched = watched(file);
        (watched, &*watched.system)
    };
    let mut name = watched.path.clone().into_os_string();
    name.push(suffix);
    match (code(fault::point(operation, Path::new(&name)), error), system(table)) {
        (Ok(()), Some(function)) => call(function),
        (Err(code), _) => code,
        (Ok(()), None) => error,
    }
}

/// SQLite's code on its way through [`fault::write`].
struct Code(c_int);

impl From<io::Error> for Code {
    fn from(error: io::Error) -> Code {
        Code(code(Err(error), ffi::SQLITE_IOERR_WRITE).err().unwrap_or(ffi::SQLITE_OK))
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives `count` bytes; the system's function gets them, or fewer of them.
    unsafe {
        let watched = watched(file);
        let bytes =
            std::slice::from_raw_parts(bytes.cast::<u8>(), usize::try_from(count).unwrap_or(0));
        let put = |bytes: &[u8]| {
            let count = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
            let write = (*watched.system).xWrite.ok_or(Code(ffi::SQLITE_IOERR_WRITE))?;
            match write(file, bytes.as_ptr().cast(), count, at) {
                ffi::SQLITE_OK => Ok(()),
                code => Err(Code(code)),
            }
        };
        fault::write(&watched.path, u64::try_from(at).ok(), bytes, put)
            .map_or_else(|code| code.0, |()| ffi::SQLITE_OK)
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the arguments are SQLite's, and are handed on to the function that it meant.
    unsafe {
        let error = ffi::SQLITE_IOERR_FSYNC;
        passed(file, Operation::Sync, "", error, |t| t.xSync, |sync| sync(file, flags))
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: as in `sync`.
    unsafe {
        let error = ffi::SQLITE_IOERR_TRUNCATE;
        passed(file, Operation::Truncate, "", error, |t| t.xTruncate, |cut| cut(file, size))
    }
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: as in `sync`. Looking at the shared memory changes nothing on the disk; making it larger does.
    unsafe {
        let map =
            |map: unsafe extern "C" fn(_, _, _, _, _) -> c_int| map(file, page, size, extend, out);
        if extend == 0 {
            return (*watched(file).system).xShmMap.map_or(ffi::SQLITE_IOERR_SHMMAP, map);
        }
        let error = ffi::SQLITE_IOERR_SHMSIZE;
        passed(file, Operation::Enlarge, "-shm", error, |t| t.xShmMap, map)
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, remove: c_int) -> c_int {
    // SAFETY: as in `sync`. An error here would leave the mapping in place, so that there is none: only a death.
    unsafe {
        let watched = watched(file);
        if remove != 0 {
            let mut name = watched.path.clone().into_os_string();
            name.push("-shm");
            let _ = fault::point(Operation::Remove, Path::new(&name));
        }
        (*watched.system).xShmUnmap.map_or(ffi::SQLITE_OK, |unmap| unmap(file, remove))
    }
}
