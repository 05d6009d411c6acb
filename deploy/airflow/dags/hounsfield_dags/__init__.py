"""What the two DAGs are made of. No module but `operators` needs Airflow."""
