"""Machines as files below a folder: the parts of /proc and /sys that a measurement reads.

The processor lists of the two boards are as their owners published them; the files around them, and the laptop, are
put together in the kernel's documented form.
"""

from pathlib import Path

_PI_CORE = """processor\t: {core}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""
_ROCKCHIP_FEATURES = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
)
_ROCKCHIP_CORE = """processor\t: {core}
BogoMIPS\t: 48.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: {variant}
CPU part\t: {part}
CPU revision\t: 0

"""
_X86_CORE = """processor\t: {core}
vendor_id\t: GenuineIntel
model name\t: Intel(R) Core(TM) i7-1165G7 CPU @ 2.80GHz
cpu MHz\t\t: {megahertz}
physical id\t: 0
core id\t\t: {physical}
flags\t\t: fpu sse4_1 fma avx f16c avx2 avx512f avx512bw avx512vl avx512_vnni{more}

"""
_CPU = "sys/devices/system/cpu"

RASPBERRY_PI_4 = {
    "proc/cpuinfo": "".join(_PI_CORE.format(core=core) for core in range(4))
    + "Hardware\t: BCM2835\nRevision\t: d03115\nModel\t\t: Raspberry Pi 4 Model B Rev 1.5\n",
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.5\0",
    "proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
    "proc/meminfo": "MemTotal:        3882988 kB\nMemFree:         1742228 kB\nMemAvailable:    3412232 kB\n",
    "proc/sys/kernel/osrelease": "6.1.21-v8+\n",
    "proc/loadavg": "0.52 0.58 0.59 1/389 12345\n",
    "proc/stat": "cpu  1000 20 300 99999 50 6 7 8 900 900\ncpu0 1 2 3\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\n',
    f"{_CPU}/online": "0-3\n",
    **{
        f"{_CPU}/cpu{core}/{name}": text
        for core in range(4)
        for name, text in (
            ("cpufreq/cpuinfo_min_freq", "600000\n"),
            ("cpufreq/cpuinfo_max_freq", "1800000\n"),
            ("cpufreq/scaling_cur_freq", "1500000\n"),
            ("cpufreq/scaling_governor", "ondemand\n"),
            ("topology/thread_siblings_list", f"{core}\n"),
        )
    },
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "45277\n",
}
RK3588 = {
    "proc/cpuinfo": "".join(
        _ROCKCHIP_CORE.format(
            core=core,
            features=_ROCKCHIP_FEATURES,
            variant="0x2" if core < 4 else "0x4",
            part="0xd05" if core < 4 else "0xd0b",
        )
        for core in range(8)
    ),
    f"{_CPU}/online": "0-7\n",
    **{f"{_CPU}/cpu{core}/cpufreq/cpuinfo_max_freq": "1800000\n" if core < 4 else "2400000\n" for core in range(8)},
    "sys/class/thermal/thermal_zone0/type": "soc-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "38846\n",
    "sys/class/thermal/thermal_zone1/type": "battery\n",
    "sys/class/thermal/thermal_zone1/temp": "30000\n",
}
LAPTOP = {
    "proc/cpuinfo": "".join(
        _X86_CORE.format(core=core, megahertz=2800 + core, physical=core % 4, more=" hypervisor" if core == 9 else "")
        for core in range(8)
    ),
    f"{_CPU}/online": "0-7\n",
    **{f"{_CPU}/cpu{core}/topology/thread_siblings_list": f"{core % 4},{core % 4 + 4}\n" for core in range(8)},
    **{f"{_CPU}/cpu{core}/thermal_throttle/core_throttle_count": f"{core}\n" for core in range(8)},
    "sys/class/dmi/id/sys_vendor": "LENOVO\n",
    "sys/class/dmi/id/product_name": "20XW\n",
    "sys/class/hwmon/hwmon3/name": "coretemp\n",
    "sys/class/hwmon/hwmon3/temp1_input": "51000\n",
    "sys/class/hwmon/hwmon4/name": "nvme\n",
    "sys/class/hwmon/hwmon4/temp1_input": "40000\n",
}


def lay_out(machine: dict[str, str], folder: Path) -> Path:
    for name, text in machine.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
