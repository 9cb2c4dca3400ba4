//! A Rust program that embeds the static library: its own standard library and the one inside the engine stand
//! side by side, and panics still unwind in the program.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;

unsafe extern "C" {
    fn reglet_engine_version() -> *const c_char;
    fn reglet_error_message(error: *const c_void) -> *const c_char;
    fn reglet_runtime_new(options: *const c_void, out: *mut *mut c_void, err: *mut *mut c_void) -> c_int;
    fn reglet_runtime_free(runtime: *mut c_void);
    fn reglet_runtime_load_plugin_file(
        runtime: *mut c_void,
        name: *const c_char,
        path: *const c_char,
        options: *const c_void,
        out: *mut *mut c_void,
        err: *mut *mut c_void,
    ) -> c_int;
    fn reglet_plugin_observe(
        plugin: *mut c_void,
        config: *const c_void,
        call: *const c_void,
        out: *mut *mut c_void,
        err: *mut *mut c_void,
    ) -> c_int;
    fn reglet_plugin_unref(plugin: *mut c_void);
    fn reglet_result_json(result: *const c_void, size: *mut usize) -> *const c_char;
    fn reglet_result_free(result: *mut c_void);
}

fn main() {
    let path = CString::new(std::env::args().nth(1).expect("usage: consumer file.wasm")).unwrap();
    std::panic::set_hook(Box::new(|_| ()));
    let panicked = std::panic::catch_unwind(|| panic!("caught below"));
    assert!(panicked.is_err());

    let (mut runtime, mut plugin, mut result, mut error) = (null_mut(), null_mut(), null_mut(), null_mut());
    unsafe {
        println!("{}", CStr::from_ptr(reglet_engine_version()).to_str().unwrap());
        let status = reglet_runtime_new(null_mut(), &mut runtime, &mut error);
        assert_eq!(status, 0, "{:?}", CStr::from_ptr(reglet_error_message(error)));
        let status = reglet_runtime_load_plugin_file(
            runtime, c"file".as_ptr(), path.as_ptr(), null_mut(), &mut plugin, &mut error);
        assert_eq!(status, 0, "{:?}", CStr::from_ptr(reglet_error_message(error)));
        let status = reglet_plugin_observe(plugin, null_mut(), null_mut(), &mut result, &mut error);
        assert_eq!(status, 0, "{:?}", CStr::from_ptr(reglet_error_message(error)));
        println!("{}", CStr::from_ptr(reglet_result_json(result, null_mut())).to_str().unwrap());
        reglet_result_free(result);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}
