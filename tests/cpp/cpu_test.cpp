// What the machine offers, and the limits that containers set.
#include "base/cpu.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/cpu_limits.h"
#include "check.h"

using namespace falconet;
namespace fs = std::filesystem;

namespace {

// A root folder of its own, removed at the end.
class Root {
 public:
  Root() : path_(fs::temp_directory_path() / ("falconet_cpu_test_" + std::to_string(std::rand()))) {}
  ~Root() { fs::remove_all(path_); }
  void write(const std::string& file, const std::string& text) {
    const fs::path full = path_ / file;
    fs::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  std::string text() const { return path_.string(); }

 private:
  fs::path path_;
};

const char* kMountV2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
const char* kMountV1 =
    "31 23 0:27 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory\n"
    "32 23 0:28 / /sys/fs/cgroup/cpu rw shared:11 - cgroup cgroup rw,cpu,cpuacct\n";

}  // namespace

TEST(features_imply_each_other) {
  const cpu::Features& f = cpu::features();
  CHECK(!f.avx512 || f.avx2);
  CHECK(!f.avx512_bf16 || f.avx512);
  CHECK(!f.avx512_vnni || f.avx512);
  CHECK(!f.neon || !f.avx2);
}

TEST(caches_are_plausible) {
  const cpu::Caches& c = cpu::caches();
  CHECK(c.l1d >= 8 << 10 && c.l1d <= 1 << 20);
  CHECK(c.l2 >= 64 << 10 && c.l2 <= 256 << 20);
  CHECK(c.l3 >= c.l1d);
}

TEST(cores_are_within_cpus) {
  CHECK(cpu::usable_cores() >= 1);
  CHECK(cpu::usable_cores() <= cpu::usable_cpus());
}

TEST(no_cgroup_is_no_limit) {
  Root root;
  CHECK(std::isinf(cpu::cgroup_quota(root.text())));
}

TEST(cgroup_v2_takes_the_tightest_level) {
  Root root;
  root.write("proc/self/mountinfo", kMountV2);
  root.write("proc/self/cgroup", "0::/pod/app\n");
  root.write("sys/fs/cgroup/pod/app/cpu.max", "max 100000\n");
  CHECK(std::isinf(cpu::cgroup_quota(root.text())));
  root.write("sys/fs/cgroup/pod/cpu.max", "250000 100000\n");
  CHECK_CLOSE(cpu::cgroup_quota(root.text()), 2.5, 1e-12);
  root.write("sys/fs/cgroup/pod/app/cpu.max", "50000 100000\n");
  CHECK_CLOSE(cpu::cgroup_quota(root.text()), 0.5, 1e-12);
}

TEST(cgroup_v2_inside_a_container) {
  Root root;
  root.write("proc/self/mountinfo", kMountV2);
  root.write("proc/self/cgroup", "0::/\n");
  root.write("sys/fs/cgroup/cpu.max", "150000 100000\n");
  CHECK_CLOSE(cpu::cgroup_quota(root.text()), 1.5, 1e-12);
}

TEST(cgroup_v1_reads_the_cpu_controller) {
  Root root;
  root.write("proc/self/mountinfo", kMountV1);
  root.write("proc/self/cgroup", "5:memory:/other\n4:cpu,cpuacct:/app\n");
  root.write("sys/fs/cgroup/cpu/app/cpu.cfs_quota_us", "300000\n");
  root.write("sys/fs/cgroup/cpu/app/cpu.cfs_period_us", "100000\n");
  CHECK_CLOSE(cpu::cgroup_quota(root.text()), 3.0, 1e-12);
  root.write("sys/fs/cgroup/cpu/app/cpu.cfs_quota_us", "-1\n");
  CHECK(std::isinf(cpu::cgroup_quota(root.text())));
}

TEST(cgroup_v1_mounted_at_its_own_group) {
  Root root;
  root.write("proc/self/mountinfo",
             "32 23 0:28 /docker/abc /sys/fs/cgroup/cpu ro master:1 - cgroup cgroup rw,cpuacct,cpu\n");
  root.write("proc/self/cgroup", "4:cpuacct,cpu:/docker/abc\n");
  root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "120000\n");
  root.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  CHECK_CLOSE(cpu::cgroup_quota(root.text()), 1.2, 1e-12);
}

TEST(unreadable_limits_are_no_limit) {
  Root root;
  root.write("proc/self/mountinfo", std::string("rubbish\n1 2 - \n") + kMountV2);
  root.write("proc/self/cgroup", "rubbish\n0::/app\n");
  root.write("sys/fs/cgroup/app/cpu.max", "plenty\n");
  CHECK(std::isinf(cpu::cgroup_quota(root.text())));
  root.write("sys/fs/cgroup/app/cpu.max", "100000 0\n");
  CHECK(std::isinf(cpu::cgroup_quota(root.text())));
}
