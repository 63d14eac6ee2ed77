#include "domain/backup_name.hh"

#include "check.hh"

using namespace ap;

namespace {

void knows_the_compression_by_the_name()
{
    CHECK(compression_of_name("a.tar.gz") == Compression::Gzip);
    CHECK(compression_of_name("a.tgz") == Compression::Gzip);
    CHECK(compression_of_name("a.tar.zst.enc") == Compression::Zstd);
    CHECK(!compression_of_name("a.tar"));
    CHECK(!compression_of_name("a.zip"));
}

void a_dated_name_says_what_it_is()
{
    const std::string name =
        dated_backup_name(1'764'000'000'000, Compression::Gzip, true);
    CHECK(name.starts_with("autopack-backup-2025112"));
    CHECK(name.ends_with(".tar.gz.enc"));
    CHECK(compression_of_name(name) == Compression::Gzip);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(knows_the_compression_by_the_name),
        TEST(a_dated_name_says_what_it_is),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
