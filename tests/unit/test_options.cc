#include "check.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "cli/options.hh"

using namespace ap;

namespace {

constexpr Option options[] = {
    {'j', "jobs", "N", "phases at once"},
    {'q', "quiet", "", "say nothing"},
    {'v', "verbose", "",
     "say a lot, in words that go on until the line is far too long "
     "to be shown on a terminal of eighty columns"},
    {0, "db", "PATH", "database file"},
    {0, "an-option-with-a-very-long-name", "ARGUMENT", "its text starts a new line"},
};

constexpr Verb verbs[] = {
    {"create", "PLAN", "make one", 1, 1},
    {"list", "", "list all", 0, 0},
    {"show", "RUN [PHASE]", "show one", 1, 2},
};

constexpr ToolSpec plain = {.name = "ap-x",
                            .summary = "do x",
                            .options = options,
                            .operands = "FILE...",
                            .least = 0,
                            .most = 3};

constexpr ToolSpec with_verbs = {
    .name = "ap-y", .summary = "do y", .options = options, .verbs = verbs};

constexpr ToolSpec wrapper = {.name = "ap-z",
                              .summary = "run it",
                              .options = options,
                              .operands = "CMD...",
                              .least = 1,
                              .most = 99,
                              .stop_at_operand = true};

Arguments parse(const ToolSpec &spec, std::vector<const char *> words)
{
    words.insert(words.begin(), "tool");
    return Arguments(spec, static_cast<int>(words.size()), words.data());
}

std::string refusal(const ToolSpec &spec, std::vector<const char *> words)
{
    try {
        parse(spec, std::move(words));
    } catch (const UsageError &error) {
        return error.what();
    }
    return "";
}

std::string operands_of(const Arguments &arguments)
{
    return join(arguments.operands(), "|");
}

void values_are_attached_or_the_next_word()
{
    for (const auto &words : std::vector<std::vector<const char *>>{
             {"--jobs=4"}, {"--jobs", "4"}, {"-j4"}, {"-j", "4"}, {"-qj4"}}) {
        const Arguments arguments = parse(plain, words);
        CHECK_EQUAL(arguments.value("jobs").value_or(""), "4");
        CHECK_EQUAL(operands_of(arguments), "");
    }
    CHECK_EQUAL(parse(plain, {"--db=a=b"}).value("db").value_or(""), "a=b");
    CHECK_EQUAL(parse(plain, {"--db="}).value("db").value_or("none"), "");
    CHECK_EQUAL(parse(plain, {"--db", "--quiet"}).value("db").value_or(""), "--quiet");
}

void options_stand_anywhere_and_letters_together()
{
    const Arguments arguments = parse(plain, {"one", "-qv", "two", "--jobs=1", "-"});
    CHECK_EQUAL(operands_of(arguments), "one|two|-");
    CHECK(arguments.has("quiet"));
    CHECK(arguments.has("verbose"));
    CHECK(!arguments.has("db"));
}

void two_dashes_end_the_options()
{
    const Arguments arguments = parse(plain, {"-q", "--", "-v", "--"});
    CHECK_EQUAL(operands_of(arguments), "-v|--");
    CHECK(!arguments.has("verbose"));
}

void the_last_value_counts_and_all_are_kept()
{
    const Arguments arguments = parse(plain, {"-j1", "--jobs=2", "-j", "3"});
    CHECK_EQUAL(arguments.value("jobs").value_or(""), "3");
    CHECK_EQUAL(join(arguments.values("jobs"), ","), "1,2,3");
    CHECK(!arguments.value("db"));
    CHECK(arguments.values("db").empty());
}

void unknown_options_name_the_nearest()
{
    CHECK_EQUAL(refusal(plain, {"--job"}),
                "unknown option '--job'; did you mean '--jobs'?");
    CHECK_EQUAL(refusal(plain, {"--hlep"}),
                "unknown option '--hlep'; did you mean '--help'?");
    CHECK_EQUAL(refusal(plain, {"--frobnicate=1"}), "unknown option '--frobnicate'");
    CHECK_EQUAL(refusal(plain, {"-qx"}), "unknown option '-x'");
    CHECK_EQUAL(refusal(plain, {"--a\nb"}), "unknown option '--a\\x0ab'");
}

void prefixes_are_not_options()
{
    CHECK(refusal(plain, {"--quie"}).starts_with("unknown option '--quie'"));
}

void values_must_be_there_and_only_where_wanted()
{
    CHECK_EQUAL(refusal(plain, {"--jobs"}), "option '--jobs' needs an argument (N)");
    CHECK_EQUAL(refusal(plain, {"-qj"}), "option '--jobs' needs an argument (N)");
    CHECK_EQUAL(refusal(plain, {"--quiet=1"}), "option '--quiet' takes no argument");
}

void verbs_are_required_and_known()
{
    CHECK_EQUAL(parse(with_verbs, {"-q", "show", "r"}).verb(), "show");
    CHECK_EQUAL(refusal(with_verbs, {}), "a verb is needed: create, list, show");
    CHECK_EQUAL(refusal(with_verbs, {"lsit"}),
                "unknown verb 'lsit'; did you mean 'list'?");
    CHECK_EQUAL(refusal(with_verbs, {"explode"}), "unknown verb 'explode'");
}

void operands_are_counted()
{
    CHECK_EQUAL(refusal(with_verbs, {"create"}), "expected 1 operand (PLAN), got 0");
    CHECK_EQUAL(refusal(with_verbs, {"show"}),
                "expected at least 1 operand (RUN [PHASE]), got 0");
    CHECK_EQUAL(refusal(with_verbs, {"list", "x"}), "unexpected operand 'x'");
    CHECK_EQUAL(refusal(with_verbs, {"show", "a", "b", "c"}), "unexpected operand 'c'");
    CHECK_EQUAL(refusal(plain, {"a", "b", "c", "d"}), "unexpected operand 'd'");
}

void help_and_version_need_nothing_else()
{
    CHECK(parse(with_verbs, {"--help"}).has("help"));
    CHECK(parse(with_verbs, {"create", "-h"}).has("help"));
    CHECK(parse(with_verbs, {"-V"}).has("version"));
}

void a_wrapped_command_keeps_its_options()
{
    const Arguments arguments = parse(wrapper, {"-q", "ls", "-v", "--", "--db"});
    CHECK_EQUAL(operands_of(arguments), "ls|-v|--|--db");
    CHECK(arguments.has("quiet"));
    CHECK(!arguments.has("verbose"));
    CHECK_EQUAL(operands_of(parse(wrapper, {"--", "-v", "--"})), "-v|--");
}

void whole_numbers_are_checked_against_their_bounds()
{
    CHECK_EQUAL(parse(plain, {"-j8"}).integer("jobs", 1, 8).value_or(0), 8);
    CHECK(!parse(plain, {}).integer("jobs", 1, 8));
    for (const char *word : {"-j0", "-j9", "-jx", "--jobs=", "-j1.5"}) {
        const Arguments arguments = parse(plain, {word});
        CHECK_THROWS(arguments.integer("jobs", 1, 8), UsageError,
                     [](const UsageError &error) {
                         CHECK(std::string_view(error.what())
                                   .starts_with("--jobs: expected a whole number from 1 "
                                                "to 8, got '"));
                     });
    }
}

void lengths_of_time_are_checked()
{
    const auto length = parse(plain, {"-j90s"}).duration("jobs");
    CHECK(length && length->count() == 90'000);
    CHECK(!parse(plain, {}).duration("jobs"));
    CHECK_THROWS(parse(plain, {"-jsoon"}).duration("jobs"), UsageError,
                 [](const UsageError &error) {
                     CHECK_EQUAL(error.what(),
                                 std::string_view("--jobs: expected a duration such as "
                                                  "90s, got 'soon'"));
                 });
}

void an_operand_that_is_not_there_is_empty()
{
    const Arguments arguments = parse(plain, {"one"});
    CHECK_EQUAL(arguments.operand(0), "one");
    CHECK_EQUAL(arguments.operand(1), "");
}

void help_fits_a_terminal_and_shows_everything()
{
    for (const ToolSpec *spec : {&plain, &with_verbs, &wrapper}) {
        const std::string text = help_text(*spec);
        for (const std::string_view line : split(text, '\n')) {
            CHECK(line.size() <= 80);
            CHECK(!line.ends_with(' '));
        }
        for (const Option &option : options) {
            CHECK(text.find("--" + std::string(option.name)) != std::string::npos);
        }
        CHECK(text.find("-h, --help") != std::string::npos);
        CHECK(text.find("-V, --version") != std::string::npos);
    }
    CHECK(help_text(plain).starts_with("usage: ap-x [options] FILE...\ndo x\n"));
    CHECK(help_text(with_verbs).find("  show RUN [PHASE]            show one\n") !=
          std::string::npos);
}

void a_choice_is_one_of_the_values()
{
    constexpr std::string_view values[] = {"local", "slurm"};
    CHECK(!parse(plain, {}).choice("db", values).has_value());
    CHECK_EQUAL(parse(plain, {"--db", "slurm"}).choice("db", values).value_or(9), 1U);
    CHECK_THROWS(parse(plain, {"--db", "x"}).choice("db", values), UsageError,
                 [](const Error &error) {
                     CHECK_EQUAL(std::string(error.what()),
                                 "--db: expected local or slurm, got 'x'");
                 });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(values_are_attached_or_the_next_word),
        TEST(options_stand_anywhere_and_letters_together),
        TEST(two_dashes_end_the_options),
        TEST(the_last_value_counts_and_all_are_kept),
        TEST(unknown_options_name_the_nearest),
        TEST(prefixes_are_not_options),
        TEST(values_must_be_there_and_only_where_wanted),
        TEST(verbs_are_required_and_known),
        TEST(operands_are_counted),
        TEST(help_and_version_need_nothing_else),
        TEST(a_wrapped_command_keeps_its_options),
        TEST(whole_numbers_are_checked_against_their_bounds),
        TEST(lengths_of_time_are_checked),
        TEST(an_operand_that_is_not_there_is_empty),
        TEST(help_fits_a_terminal_and_shows_everything),
        TEST(a_choice_is_one_of_the_values),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
