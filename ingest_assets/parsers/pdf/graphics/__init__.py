"""Read what is drawn on a page: pictures, figures, rules, tables between rules, scans."""
