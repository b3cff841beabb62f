const parts = JSON.parse(document.getElementById("charts").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
let views = [];

async function draw() {
  for (const view of views) view.finalize();
  views = [];
  for (const [id, spec] of Object.entries(parts.charts)) {
    // `ast`: expressions are interpreted, because the page's policy forbids eval.
    views.push(await vegaEmbed(document.getElementById(id), spec, {
      actions: false,
      ast: true,
      config: dark.matches ? parts.dark : parts.light,
      defaultStyle: false,
      renderer: "svg",
      tooltip: { disableDefaultStyle: true },
    }));
  }
  document.documentElement.dataset.drawn = dark.matches ? "dark" : "light";
}

let drawing = draw();
dark.addEventListener("change", () => { drawing = drawing.then(draw); });
