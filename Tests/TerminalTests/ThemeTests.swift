import Testing

@testable import Terminal

@Suite struct ThemeTests {
    private let text = """
        name = "frosty"
        variant = "light"
        pair = "dusk"
        [palette]
        frost = "#88c0d0" 110 cyan   # comment
        ink   = #101010
        [style]
        ui.border.focus = fg:frost bg:ink bold
        plot.series = fg:red
        meter.memory = gradient green frost red
        """

    @Test func aFileIsResolvedForEveryDepth() {
        let expected: [(ColorDepth, Style)] = [
            (.direct, Style(foreground: .rgb(0x88, 0xC0, 0xD0), background: .rgb(16, 16, 16), attributes: .bold)),
            (.indexed256, Style(foreground: .indexed(110), background: .indexed(233), attributes: .bold)),
            (.ansi16, Style(foreground: .ansi(6), background: .ansi(0), attributes: .bold)),
            (.mono, Style(attributes: .bold)),
        ]
        for (depth, style) in expected {
            let (theme, problems) = Theme.parse(text, file: "frosty.theme", depth: depth)
            #expect(theme.style("ui.border.focus") == style, "\(depth)")
            #expect(problems == [])
        }
        let theme = Theme.parse(text, file: "frosty.theme", depth: .ansi16).theme
        #expect(theme.name == "frosty")
        #expect(theme.variant == .light)
        #expect(theme.pair == "dusk")
    }

    @Test func scopesFallBackAlongTheirDotsAndThenToTheBuiltInTheme() {
        let theme = Theme.parse(text, file: "x", depth: .ansi16).theme
        #expect(theme.style("plot.series.99.more").foreground == .ansi(1))
        #expect(theme.style("log.error") == Theme.light(depth: .ansi16).style("log.error"))
        #expect(theme.style("never.heard.of") == theme.style("ui.text"))
    }

    @Test func gradientsRunFromLowToHigh() {
        let theme = Theme.parse(text, file: "x", depth: .ansi16).theme
        #expect(theme.style("meter.memory", at: 0).foreground == .ansi(2))
        #expect(theme.style("meter.memory", at: 0.5).foreground == .ansi(6))
        #expect(theme.style("meter.memory", at: 2).foreground == .ansi(1))
        #expect(theme.style("meter.memory", at: .nan).foreground == .ansi(2))
        let direct = Theme.parse(text, file: "x", depth: .direct).theme
        #expect(direct.style("meter.memory", at: 0.5).foreground == .rgb(0x88, 0xC0, 0xD0))
    }

    @Test func mistakesAreToldWithTheirLineAndLeftOut() {
        let bad = """
            nmae = x
            variant = dim
            [colours]
            [palette]
            a = "#12345"
            b = "#123456" 999
            [style]
            ui.border.focus = fg:nowhere bold
            ui.bordr = bold
            ui.error = blod
            no equals sign
            meter.cpu = gradient red
            plot.series.7 = fg:red
            """
        let (theme, problems) = Theme.parse(bad, file: "bad.theme", depth: .ansi16)
        #expect(problems.map(\.line) == [1, 2, 3, 5, 6, 8, 9, 10, 11, 12])
        #expect(problems.first?.description == "bad.theme:1: unknown key `nmae`; expected name, variant or pair")
        #expect(theme.style("ui.border.focus").attributes == .bold)
        #expect(theme.style("ui.warning") == Theme.dark(depth: .ansi16).style("ui.warning"))
    }

    @Test func aMissingThemeIsReplacedAndSaysSo() {
        let (theme, problems) = Theme.named("nosuch", folder: "/nowhere", depth: .indexed256, environment: { _ in nil })
        #expect(theme.name == "dark")
        #expect(problems.count == 1)
        #expect(Theme.named("../../etc/passwd", folder: "/nowhere", depth: .mono).problems.count == 1)
    }

    @Test(arguments: [("15;0", "dark"), ("0;15", "light"), ("0;default;7", "light"), ("x", "dark")])
    func autoFollowsTheBackground(_ value: String, _ name: String) {
        let theme = Theme.named("auto", folder: "/nowhere", depth: .ansi16, environment: { $0 == "COLORFGBG" ? value : nil }).theme
        #expect(theme.name == name)
    }

    @Test(arguments: [(255, 255, 255, 231, 15), (0, 0, 0, 16, 0), (128, 128, 128, 244, 8), (250, 20, 20, 196, 1), (95, 135, 175, 67, 4), (150, 230, 150, 114, 10)])
    func coloursAreQuantised(_ red: Int, _ green: Int, _ blue: Int, _ index: Int, _ ansi: Int) {
        let color = Color.rgb(UInt8(red), UInt8(green), UInt8(blue))
        #expect(color.quantized(to: .indexed256) == .indexed(UInt8(index)))
        #expect(color.quantized(to: .ansi16) == .ansi(UInt8(ansi)))
    }

    @Test func theBuiltInThemesNameTheSameScopes() {
        #expect(BuiltInThemes.dark.problems == [])
        #expect(BuiltInThemes.light.problems == [])
        #expect(BuiltInThemes.mono.problems == [])
        #expect(Set(BuiltInThemes.light.rules.keys) == BuiltInThemes.scopes)
        #expect(Set(BuiltInThemes.mono.rules.keys).isSubset(of: BuiltInThemes.scopes))
    }

    /// Every theme that is shipped, at every depth: no mistakes, readable text, and states that differ without colour.
    @Test(arguments: Theme.names(inFolder: Golden.projectFolder("themes")), ColorDepth.allCases)
    func shippedThemesAreSound(_ name: String, _ depth: ColorDepth) {
        let (theme, problems) = Theme.named(name, folder: Golden.projectFolder("themes"), depth: depth)
        #expect(problems == [])
        for scope in BuiltInThemes.scopes {
            let style = theme.style(scope)
            let below = theme.style("ui.text").background
            let background = style.background == .default ? below : style.background
            guard let front = style.foreground.components, let back = background.components, depth != .mono else { continue }
            let isQuiet = style.attributes.contains(.dim) || scope.contains("track") || scope.contains("axis") || scope.contains("scrollbar") || scope.contains("border")
            #expect(contrast(front, back) >= (isQuiet ? 1.3 : 2.5), "\(name) \(depth) \(scope): \(contrast(front, back))")
        }
        let selected = theme.style("ui.selection")
        #expect(selected.attributes.contains(.reverse) || selected.background != theme.style("ui.text").background)
        #expect(!theme.style("ui.error").attributes.isEmpty)
        #expect(theme.style("ui.error").attributes != theme.style("ui.warning").attributes)
        #expect(!theme.style("ui.border.focus").attributes.isEmpty)
    }

    /// The contrast of the Web Content Accessibility Guidelines, 1...21.
    private func contrast(_ a: (red: UInt8, green: UInt8, blue: UInt8), _ b: (red: UInt8, green: UInt8, blue: UInt8)) -> Double {
        func light(_ color: (red: UInt8, green: UInt8, blue: UInt8)) -> Double {
            func linear(_ value: UInt8) -> Double { Double(value) / 255 * Double(value) / 255 }
            return 0.2126 * linear(color.red) + 0.7152 * linear(color.green) + 0.0722 * linear(color.blue)
        }
        let (first, second) = (light(a), light(b))
        return (max(first, second) + 0.05) / (min(first, second) + 0.05)
    }
}
