//! Settings of the kernel. The one list of them: whoever sets them, and whoever asks for them, goes by it.

/// The settings that a kubelet compares with `protectKernelDefaults`, each with what it expects.
pub const OF_KUBELETS: [(&str, &str); 6] = [
    ("kernel.keys.root_maxbytes", "25000000"),
    ("kernel.keys.root_maxkeys", "1000000"),
    ("kernel.panic", "10"),
    ("kernel.panic_on_oops", "1"),
    ("vm.overcommit_memory", "1"),
    ("vm.panic_on_oom", "0"),
];
