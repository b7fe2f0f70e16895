// Dark or light: as the system has it, unless somebody chose; remembered in the browser.
(() => {
  const wanted = () => localStorage.getItem('portrayal-theme');
  const apply = () => {
    const dark = (wanted() ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
    document.body?.classList.toggle('dark', dark);
  };
  document.addEventListener('DOMContentLoaded', apply);
  window.addEventListener('load', () => setTimeout(apply, 0));
  document.addEventListener('click', (event) => {
    if (!event.target.closest?.('#theme-toggle')) return;
    localStorage.setItem('portrayal-theme', document.body.classList.contains('dark') ? 'light' : 'dark');
    apply();
  });
})();
