#include "domain/patch_binary.hh"

// Before cmocka, whose macro takes the name of a function.
#include "domain/apply.hh"

#include "check.hh"
#include "repository.hh"

#include "base/text.hh"
#include "wrap/sha256.hh"

using namespace ap;

namespace {

// Bytes without a pattern, the same each time.
std::string noise(size_t size, uint32_t seed)
{
    std::string bytes;
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes += static_cast<char>(seed >> 24);
    }
    return bytes + std::string(2, '\0');
}

// A repository whose file "data" was changed from `before` to `after`, empty: not there.
class Fixture
{
public:
    Fixture(const std::string &before, const std::string &after)
        : before_(before)
        , after_(after)
    {
        put(before);
        repository.commit("Before");
        put(after);
        repository.commit("After");
        diff = run_git(repository.path, {"diff", "--binary", "HEAD~", "HEAD"});
        run_git(repository.path, {"checkout", "--quiet", "HEAD~"});
    }

    ApplyReport apply(const std::string &change, bool reverse = false,
                      int64_t largest = 1 << 20) const
    {
        ApplyOptions options;
        options.directory = repository.path;
        options.rules.allow_binary = true;
        options.rules.largest_file = largest;
        options.reading.reverse = reverse;
        return apply_change(change, options);
    }

    // What is there; empty: nothing.
    std::string bytes() const
    {
        const std::string path = join_path(repository.path, "data");
        return path_exists(path) ? read_file(path, 1 << 20) : std::string();
    }

    void check_both_ways() const
    {
        CHECK_EQUAL(apply(diff).status(), ExitStatus::Done);
        CHECK(bytes() == after_);
        CHECK_EQUAL(apply(diff, true).status(), ExitStatus::Done);
        CHECK(bytes() == before_);
    }

    std::string why(const std::string &change) const
    {
        const ApplyReport report = apply(change);
        CHECK_EQUAL(report.rejected.size(), 1);
        CHECK(bytes() == before_);
        return report.rejected[0].hunk.why;
    }

    check::Repository repository;
    std::string diff;

private:
    void put(const std::string &bytes) const
    {
        if (bytes.empty()) {
            remove_file(join_path(repository.path, "data"));
        } else {
            repository.write("data", bytes);
        }
        repository.write("a", std::to_string(bytes.size()) + " bytes\n");
    }

    std::string before_;
    std::string after_;
};

std::string changed_in_the_middle(std::string bytes)
{
    return bytes.replace(bytes.size() / 2, 3, "new bytes");
}

void takes_all_that_git_makes_forward_and_back()
{
    Fixture(noise(300, 1), noise(500, 2)).check_both_ways();
    Fixture("", noise(100, 1)).check_both_ways();
    Fixture(noise(100, 1), "").check_both_ways();
    const Fixture delta(noise(70'000, 1), changed_in_the_middle(noise(70'000, 1)));
    CHECK(delta.diff.find("\ndelta ") != std::string::npos);
    delta.check_both_ways();
}

void binary_content_needs_leave()
{
    const Fixture fixture(noise(300, 1), noise(500, 2));
    ApplyOptions options;
    options.directory = fixture.repository.path;
    const ApplyReport report = apply_change(fixture.diff, options);
    CHECK_EQUAL(report.refused.size(), 1);
    CHECK_EQUAL(report.refused[0].why, "is binary");
}

void a_file_that_is_not_the_one_it_was_made_for_is_left()
{
    const Fixture fixture(noise(300, 1), noise(500, 2));
    fixture.repository.write("data", noise(300, 3));
    const ApplyReport report = fixture.apply(fixture.diff);
    CHECK_EQUAL(report.rejected.at(0).hunk.why,
                "is not what its binary diff was made for");
    CHECK(fixture.bytes() == noise(300, 3));
}

void ids_must_be_full_and_what_is_made_the_one_they_name()
{
    const Fixture fixture(noise(300, 1), noise(500, 2));
    const size_t at = fixture.diff.rfind("index ") + std::string_view("index ").size();
    std::string shorter = fixture.diff;
    shorter.erase(at + 10, 30);
    CHECK_EQUAL(fixture.why(shorter),
                "has a binary diff without full ids in the line 'index'");
    std::string other = fixture.diff;
    char &digit = other.at(at + 42);
    digit = digit == '0' ? '1' : '0';
    CHECK_EQUAL(fixture.why(other), "would not be what its binary diff says");
}

void more_bytes_than_a_file_may_have_are_not_decompressed()
{
    const Fixture fixture(noise(300, 1), noise(500, 2) + std::string(100'000, 'x'));
    const ApplyReport report = fixture.apply(fixture.diff, false, 5000);
    CHECK_EQUAL(report.rejected.at(0).hunk.why, "is larger than 5000 bytes");
}

void no_twisted_byte_makes_another_file()
{
    const Fixture literal(noise(60, 1), noise(50, 2));
    const Fixture delta(noise(3000, 1), changed_in_the_middle(noise(3000, 1)));
    for (const Fixture *fixture : {&literal, &delta}) {
        const std::string before = fixture->bytes();
        fixture->apply(fixture->diff);
        const std::string after = fixture->bytes();
        fixture->apply(fixture->diff, true);
        constexpr std::string_view opening = "GIT binary patch\n";
        size_t taken = 0;
        for (size_t at = fixture->diff.find(opening) + opening.size();
             at < fixture->diff.size(); at++) {
            std::string twisted = fixture->diff;
            twisted[at] = twisted[at] == 'z' ? 'y' : 'z';
            try {
                if (fixture->apply(twisted).status() == ExitStatus::Done) {
                    CHECK(fixture->bytes() == after);
                    CHECK_EQUAL(fixture->apply(fixture->diff, true).status(),
                                ExitStatus::Done);
                    taken++;
                }
            } catch (const Error &error) {
                CHECK_EQUAL(error.status(), ExitStatus::BadData);
            }
            CHECK(fixture->bytes() == before);
        }
        CHECK(taken > 0); // where only the way back was hit
    }
}

void what_is_cut_off_is_named_by_its_line()
{
    const std::string text = "literal 3\nKcmZQzWMT#Y01f~L\n";
    const auto lines = lines_of(text);
    size_t at = 0;
    CHECK_THROWS(read_binary_change(lines, at), Error, [](const Error &error) {
        CHECK_EQUAL(std::string_view(error.what()),
                    "line 2: expected an empty line after a binary diff, got its end");
    });
    const std::string bad = "literal 3\nKcm\n\n";
    const auto bad_lines = lines_of(bad);
    at = 0;
    CHECK_THROWS(read_binary_change(bad_lines, at), Error, [](const Error &error) {
        CHECK_EQUAL(std::string_view(error.what()),
                    "line 2: expected a line of a binary diff, got 'Kcm'");
    });
}

void a_delta_may_not_lead_out_of_the_old_bytes()
{
    // Sizes 4 and 4, then a copy of 4 bytes from place 1, made by hand and compressed
    // without compression.
    BinaryChange change;
    const std::string before = "1234";
    change.old_id = sha1_hex(std::string("blob 4\0", 7) + before);
    change.new_id = change.old_id;
    const std::string delta("\x04\x04\x91\x01\x04", 5);
    change.forward = {true, 5,
                      std::string("\x78\x01\x01\x05\x00\xfa\xff", 7) + delta +
                          std::string("\x01\xe2\x00\x9f", 4)};
    CHECK_THROWS(apply_binary_change(before, change, 100), Error, [](const Error &error) {
        CHECK_EQUAL(std::string_view(error.what()),
                    "has a binary diff that makes no sense");
    });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(takes_all_that_git_makes_forward_and_back),
        TEST(binary_content_needs_leave),
        TEST(a_file_that_is_not_the_one_it_was_made_for_is_left),
        TEST(ids_must_be_full_and_what_is_made_the_one_they_name),
        TEST(more_bytes_than_a_file_may_have_are_not_decompressed),
        TEST(no_twisted_byte_makes_another_file),
        TEST(what_is_cut_off_is_named_by_its_line),
        TEST(a_delta_may_not_lead_out_of_the_old_bytes),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
